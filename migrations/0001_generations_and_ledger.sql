-- Every generation whole, with what it decided and why, and the append-only Merkle ledger over the digests of all of them.

create table policy_generations (
  id bigint generated always as identity primary key,
  generation_id text not null unique,
  title text not null,
  description text not null,
  policy_content text,                            -- null when nothing was certified
  semantic_hash text,
  stakeholders jsonb not null,
  constitutional_principles jsonb not null,       -- ids, as the author named them
  priority text not null check (priority in ('low', 'medium', 'high', 'critical')),
  context jsonb not null,
  constitutional_compliance_score double precision,
  confidence_score double precision,
  constitutional_hash text not null,
  generation_time_ms double precision not null,
  model_consensus_data jsonb not null,
  recommendations jsonb not null,
  user_id text,
  status text not null,
  verdict text not null check (verdict in ('certified', 'refused', 'undetermined')),
  violated_articles text[] not null,
  certificate_id text,
  certificate jsonb,
  request jsonb not null,
  evidence jsonb not null,
  created_at timestamptz not null,
  updated_at timestamptz not null default now(),
  check ((verdict = 'certified') = (certificate is not null)),
  check ((certificate is null) = (certificate_id is null))
);

create index policy_generations_newest on policy_generations (created_at desc, generation_id desc);
create index policy_generations_by_verdict on policy_generations (verdict, created_at desc, generation_id desc);
create index policy_generations_by_priority on policy_generations (priority, created_at desc, generation_id desc);
create index policy_generations_by_user on policy_generations (user_id, created_at desc, generation_id desc);
create index policy_generations_by_article on policy_generations using gin (violated_articles);
create index policy_generations_by_principle on policy_generations using gin (constitutional_principles);
create unique index policy_generations_by_certificate on policy_generations (certificate_id);

create table ledger_entries (
  index bigint primary key check (index >= 0),
  kind text not null,
  at timestamptz not null,
  subject text not null,                          -- the generation it is about
  entry text not null,                            -- exactly the bytes that are hashed
  leaf_hash bytea not null check (octet_length(leaf_hash) = 32),
  root bytea not null check (octet_length(root) = 32) -- of the tree that ends with this entry
);

create index ledger_entries_by_subject on ledger_entries (subject, index);

-- One row. Whoever appends locks it, so that entries are numbered without gaps and every root has one successor.
create table ledger_tip (
  one boolean primary key default true check (one),
  size bigint not null check (size >= 0),
  frontier bytea[] not null,
  root bytea not null check (octet_length(root) = 32)
);

insert into ledger_tip (size, frontier, root) values (0, '{}', sha256(''));

-- Defence in depth: whoever owns the tables can drop these; what then was changed is found by `acgs ledger verify`.
create function ledger_refuses_change() returns trigger language plpgsql as $$
begin
  raise exception 'the ledger only grows: % on % is refused', tg_op, tg_table_name using errcode = 'restrict_violation';
end $$;

create function ledger_tip_only_grows() returns trigger language plpgsql as $$
begin
  if new.size <> old.size + 1 then
    raise exception 'the ledger only grows: from size % to % is refused', old.size, new.size using errcode = 'restrict_violation';
  end if;
  return new;
end $$;

create trigger append_only before update or delete or truncate on ledger_entries
  for each statement execute function ledger_refuses_change();
create trigger stays before delete or truncate on ledger_tip
  for each statement execute function ledger_refuses_change();
create trigger only_grows before update on ledger_tip
  for each row execute function ledger_tip_only_grows();
revoke update, delete, truncate on ledger_entries from public;
revoke delete, truncate on ledger_tip from public;
