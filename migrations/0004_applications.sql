-- Applications with their entities, the revisions that decide for them, approvals and revocations; checkpoints of the ledger.

create table applications (
  name text primary key,
  schema text not null,                           -- Cedar, annotations included
  schema_digest text not null,
  entities_version bigint not null default 0,     -- grows by one with every change of its entities
  active_revision integer,                        -- null: nothing decides yet, so everything is denied
  created_by text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
);

-- One row an entity; a deleted one stays as a gravestone until the next whole replacement, so that changes since a version can be told.
create table entities (
  application text not null references applications (name),
  type text not null,
  id text not null,
  entity jsonb,                                   -- Cedar's JSON form; null: deleted
  version bigint not null,                        -- of the store, when it last changed
  primary key (application, type, id)
);

create index entities_by_version on entities (application, version);

create table revisions (
  application text not null references applications (name),
  number integer not null check (number > 0),
  base integer,                                   -- the revision that was active when it was proposed
  rollback_of integer,                            -- the earlier revision whose content this one brings back
  content jsonb not null,                         -- what is proved, approved and signed
  digest text not null,                           -- SHA-256 of the content's canonical form
  verdict text not null check (verdict in ('proved', 'refuted', 'undetermined')),
  examination jsonb not null,                     -- articles with their answers and counterexamples, at the last proof
  proved_at timestamptz not null,
  proposed_by text not null,
  proposed_at timestamptz not null,
  activated_by text,
  activated_at timestamptz,
  bundle jsonb,                                   -- signed by compliance; null until activated
  primary key (application, number)
);

create index revisions_by_digest on revisions (application, digest);

create table approvals (
  application text not null,
  digest text not null,                           -- of the revision's content
  member text not null,
  token text not null,                            -- signed by Auth for this member and this digest
  at timestamptz not null,
  primary key (application, digest, member)
);

create table revocations (
  certificate_id text primary key,
  reason text not null,
  revoked_by text not null,
  at timestamptz not null
);

create table ledger_checkpoints (
  size bigint primary key check (size >= 0),
  note text not null,                             -- a signed note, C2SP tlog-checkpoint
  at timestamptz not null
);
