-- What each proposed revision changes against the one that decided then: apart from it, since it can be long and is read for one revision at a time.

create table revision_differences (
  application text not null,
  number integer not null,
  difference jsonb not null,
  primary key (application, number)
);
