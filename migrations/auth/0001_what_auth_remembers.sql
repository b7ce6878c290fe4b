-- What Auth must remember, so far which client assertions were used; the tables may be there already, from when all migrations were one list.

create table if not exists auth.oidc_payloads (
  model text not null,
  id text not null,
  payload jsonb not null,
  grant_id text,
  user_code text,
  uid text,
  consumed_at timestamptz,
  expires_at timestamptz,                         -- null: does not expire
  primary key (model, id)
);

create index if not exists oidc_payloads_expires_at on auth.oidc_payloads (expires_at);
create index if not exists oidc_payloads_grant_id on auth.oidc_payloads (grant_id) where grant_id is not null;
create index if not exists oidc_payloads_user_code on auth.oidc_payloads (user_code) where user_code is not null;
create index if not exists oidc_payloads_uid on auth.oidc_payloads (uid) where uid is not null;
