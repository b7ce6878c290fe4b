-- What every check of the stabilizer table found, what was diagnosed of that, of documents and of the system itself, and the units it was found in.

create table stabilizer_executions (
  diagnostic bigint not null,                     -- the id of the diagnostic that it is part of: a number, since there are some thirty of each
  position smallint not null,                     -- in the syndrome, from 0; articles of the constitution come after it
  stabilizer_id text not null,                    -- a row of the table, or an article of the constitution
  stabilizer_group text not null,                 -- as GET /api/v1/stabilizers shows it
  table_version text not null,
  candidates text[] not null,                     -- the methods whose candidates it looked at
  outcome smallint not null check (outcome in (1, -1, 0)), -- holds, fires, was not run: never a pass
  reason text,                                    -- why it was not run, or gave no answer
  evidence_digest text,                           -- SHA-256 of what it shows, where it fires; the evidence itself stands in the generation
  duration_ms double precision,                   -- null: not measured
  executed_at timestamptz not null,
  primary key (diagnostic, position),
  check ((outcome = 0) = (reason is not null))
);

create index stabilizer_executions_newest on stabilizer_executions using brin (executed_at);

create table system_diagnostics (
  id bigint generated always as identity primary key,
  diagnostic_id text not null unique,
  kind text not null check (kind in ('system', 'component', 'generation', 'lsu')),
  target_system text not null,                    -- `system`, a component's name, the id of a generation or of an LSU
  subject text not null,                          -- who asked
  depth text not null,
  status text not null check (status in ('healthy', 'degraded', 'unhealthy')),
  errors_detected integer not null check (errors_detected >= 0),
  critical_errors integer not null check (critical_errors >= 0 and critical_errors <= errors_detected),
  faults_detected integer not null default 0 check (faults_detected >= 0),   -- in candidates: what error_correction_events_total counts
  faults_corrected integer not null default 0 check (faults_corrected >= 0 and faults_corrected <= faults_detected),
  health_score double precision check (health_score between 0 and 1),         -- null: nothing was there to be checked
  compliance_score double precision check (compliance_score between 0 and 1), -- null: no hard article applies, or it is not about a policy
  findings jsonb not null,
  measured jsonb not null,
  not_measured jsonb not null,
  constitutional_hash text not null,
  duration_ms double precision,                   -- null: found on the way, by the generation itself
  created_at timestamptz not null
);

create index system_diagnostics_newest on system_diagnostics (created_at desc, diagnostic_id desc);
create index system_diagnostics_by_subject on system_diagnostics (subject, created_at desc, diagnostic_id desc);
create index system_diagnostics_with_faults on system_diagnostics (created_at desc, diagnostic_id desc) where faults_detected > 0;

create table lsu_records (
  diagnostic_id text primary key,                 -- what was found in it
  lsu_id text not null,                           -- the generation's id, or that of the document; documents may share one
  generation_id text,                             -- null: a document that was only validated
  subject text not null,                          -- who asked
  digest text not null,                           -- SHA-256 of the unit's or document's canonical form
  document jsonb,                                 -- null: the unit stands whole in the evidence of its generation
  version integer not null check (version >= 1),
  semantic_hash text,                             -- of what it was found to mean
  schema_digest text,                             -- over which schema; null: none could be chosen
  constitutional_hash text not null,              -- under which it was judged
  compliance_validated boolean not null,          -- what was found, not what it claims
  created_at timestamptz not null
);

create index lsu_records_by_lsu on lsu_records (lsu_id, created_at desc);
