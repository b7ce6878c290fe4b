-- What Auth must remember, in a schema of its own so that a role of its own can hold it: so far, which client assertions were used already.

create schema auth;

create table auth.oidc_payloads (
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

create index oidc_payloads_expires_at on auth.oidc_payloads (expires_at);
create index oidc_payloads_grant_id on auth.oidc_payloads (grant_id) where grant_id is not null;
create index oidc_payloads_user_code on auth.oidc_payloads (user_code) where user_code is not null;
create index oidc_payloads_uid on auth.oidc_payloads (uid) where uid is not null;
