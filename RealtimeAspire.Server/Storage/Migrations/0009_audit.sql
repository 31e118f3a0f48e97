-- The audit trail: a chain of rows per tenant. Rows and checkpoints are only ever added; months whose time is over are dropped whole.
create table realtime.audit (
  tenant text collate "C" not null,
  seq bigint not null,
  id uuid not null,
  -- When it happened.
  at timestamptz not null,
  -- When it was put on record; never falls within a tenant.
  written_at timestamptz not null,
  action text not null,
  actor text not null,
  target text,
  code text not null,
  connection text,
  origin text,
  count bigint not null,
  -- Text, not jsonb: the hash is over what stands here.
  details text,
  checkpoint bigint not null,
  key_id text not null,
  prev bytea not null,
  hash bytea not null
) partition by range (written_at);

create table realtime.audit_checkpoints (
  tenant text collate "C" not null,
  number bigint not null,
  at timestamptz not null,
  seq bigint not null,
  hash bytea not null,
  cut_seq bigint not null,
  cut_hash bytea not null,
  first_number bigint not null,
  key_id text not null,
  prev bytea not null,
  signature bytea not null
) partition by range (at);

-- Where each chain ends. Whoever appends holds the row until its commit, so that there is one chain, whichever nodes write.
create table realtime.audit_heads (
  tenant text collate "C" primary key,
  seq bigint not null default 0,
  hash bytea not null default decode(repeat('00', 32), 'hex'),
  written_at timestamptz not null default 'epoch',
  checkpoint bigint not null default 0,
  signature bytea not null default decode(repeat('00', 32), 'hex'),
  sealed_at timestamptz not null default 'epoch',
  sealed_seq bigint not null default 0,
  cut_seq bigint not null default 0,
  cut_hash bytea not null default decode(repeat('00', 32), 'hex'),
  first_checkpoint bigint not null default 1
) with (fillfactor = 50);

create function realtime.refuse_audit_change() returns trigger language plpgsql as $$
begin
  raise exception 'The audit trail is only ever added to.' using errcode = 'insufficient_privilege';
end
$$;

-- Rows: inherited by each partition. Truncate: each partition has its own.
create trigger only_added before update or delete on realtime.audit for each row execute function realtime.refuse_audit_change();
create trigger only_added before update or delete on realtime.audit_checkpoints for each row execute function realtime.refuse_audit_change();
create trigger never_emptied before truncate on realtime.audit for each statement execute function realtime.refuse_audit_change();
create trigger never_emptied before truncate on realtime.audit_checkpoints for each statement execute function realtime.refuse_audit_change();
revoke update, delete, truncate on realtime.audit, realtime.audit_checkpoints from public, current_user;

-- Makes the month of a time, if it is missing: of rows and of checkpoints.
create function realtime.create_audit_partitions(at timestamptz) returns void language plpgsql as $$
declare
  month date := date_trunc('month', at at time zone 'utc')::date;
  following date := month + interval '1 month';
  parent text;
  name text;
begin
  perform pg_advisory_xact_lock(hashtext('realtime.create_audit_partitions'));
  foreach parent in array array['audit', 'audit_checkpoints'] loop
    name := parent || '_' || to_char(month, 'YYYYMM');
    continue when to_regclass(format('realtime.%I', name)) is not null;
    execute format('create table realtime.%I (like realtime.%I including defaults)', name, parent);
    if parent = 'audit' then
      execute format('create unique index on realtime.%I (tenant, seq)', name);
      execute format('create index on realtime.%I (id)', name);
    else
      execute format('create unique index on realtime.%I (tenant, number)', name);
    end if;
    execute format('create trigger never_emptied before truncate on realtime.%I for each statement execute function realtime.refuse_audit_change()', name);
    execute format('revoke update, delete, truncate on realtime.%I from public, current_user', name);
    execute format('alter table realtime.%I attach partition realtime.%I for values from (%L) to (%L)',
      parent, name, month || ' 00:00:00+00', following || ' 00:00:00+00');
  end loop;
end
$$;
