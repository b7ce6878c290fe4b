-- A generation is written once: no column of it may say something that the ledger's digest does not cover.

alter table policy_generations drop column updated_at;
alter table policy_generations
  add column updated_at timestamptz not null generated always as (created_at) stored,
  add check (status = 'completed'),
  add check (created_at = date_trunc('milliseconds', created_at)); -- the digest's precision
alter table ledger_entries add check (at = date_trunc('milliseconds', at));
