-- Requests for a policy that were accepted and must be finished once, whichever process dies: who works on each, and until when that counts.

create table generation_requests (
  generation_id text primary key,
  subject text not null,                          -- who asked: a key of theirs means nothing to others
  idempotency_key text,                           -- null: none was sent
  request_digest text not null,                   -- SHA-256 of the request's canonical form
  request jsonb,                                  -- null once it has ended
  state text not null check (state in ('accepted', 'finished', 'failed')),
  accepted_at timestamptz not null check (accepted_at = date_trunc('milliseconds', accepted_at)),
  ended_at timestamptz,
  attempt integer not null check (attempt >= 0),  -- how often somebody began to work on it
  silent integer not null check (silent >= 0),    -- how many of them have said nothing since: they, or their processes, are no more
  postponed integer not null default 0,           -- how often something that it needs was away
  held_by text,                                   -- the process that works on it; null: nobody yet
  held_until timestamptz not null,                -- afterwards anybody may take it
  steps jsonb not null default '[]',              -- of the flow, as far as they were told
  outcome text,                                   -- what the client is told: of those with a key, those that were taken over, those that failed
  check ((state = 'accepted') = (ended_at is null)),
  check ((state = 'accepted') = (request is not null)),
  check (state <> 'failed' or outcome is not null)
);

create unique index generation_requests_by_key on generation_requests (subject, idempotency_key) where idempotency_key is not null;
create index generation_requests_to_do on generation_requests (held_until) where state = 'accepted';
create index generation_requests_by_end on generation_requests (ended_at) where state <> 'accepted';
