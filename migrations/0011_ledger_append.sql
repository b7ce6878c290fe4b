-- One entry more in one statement: the tip is locked from here to the end of the transaction, and whoever appends need not wait for a reply in between.
-- `known_size` and `known_root` are a state of the ledger that was written down elsewhere; 0: none is known. What is written here is verified from the entries
-- by `acgs ledger verify`, in the program.

create function ledger_node(a bytea, b bytea) returns bytea language sql immutable as $$ select sha256('\x01'::bytea || a || b) $$;

-- RFC 6962 section 2.1: the root over full subtrees, the largest first.
create function ledger_root(nodes bytea[]) returns bytea language plpgsql immutable as $$
declare
  found bytea := sha256('');
begin
  for i in reverse cardinality(nodes)..1 loop
    found := case when i = cardinality(nodes) then nodes[i] else ledger_node(nodes[i], found) end;
  end loop;
  return found;
end $$;

create function ledger_append(its_kind text, its_at timestamptz, its_subject text, its_entry text, known_size bigint, known_root bytea, out its_index bigint, out its_root bytea)
language plpgsql as $$
declare
  tip ledger_tip;
  nodes bytea[];
  leaf bytea := sha256('\x00'::bytea || convert_to(its_entry, 'UTF8'));
  node bytea := leaf;
  rest bigint;
begin
  select * into tip from ledger_tip for update;
  if not found then
    raise exception 'its tip is missing' using errcode = 'ACL01';
  end if;
  if tip.size < known_size then
    raise exception '% entries are known from elsewhere and only % are here: the end was cut off, or an old backup was restored', known_size, tip.size using errcode = 'ACL01';
  end if;
  if known_size > 0 and known_root is distinct from (case when tip.size = known_size then tip.root else (select root from ledger_entries where index = known_size - 1) end) then
    raise exception 'the first % entries are not those that are known from elsewhere: they were rewritten', known_size using errcode = 'ACL01';
  end if;
  nodes := tip.frontier;
  if cardinality(nodes) <> bit_count(tip.size::bit(64)) or ledger_root(nodes) <> tip.root then
    raise exception 'its tip contradicts itself' using errcode = 'ACL01';
  end if;

  -- As many full subtrees join as the size has trailing one bits.
  rest := tip.size;
  while rest % 2 = 1 loop
    node := ledger_node(nodes[cardinality(nodes)], node);
    nodes := nodes[1:cardinality(nodes) - 1];
    rest := rest / 2;
  end loop;
  nodes := nodes || node;
  its_index := tip.size;
  its_root := ledger_root(nodes);
  update ledger_tip set size = tip.size + 1, frontier = nodes, root = its_root;
  insert into ledger_entries (index, kind, at, subject, entry, leaf_hash, root) values (its_index, its_kind, its_at, its_subject, its_entry, leaf, its_root);
end $$;
