-- From which version on an application's changes are known one by one: a whole replacement forgets the gravestones before it.

alter table applications add column entities_from bigint not null default 0;
