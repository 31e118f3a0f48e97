set local lock_timeout = '2s';

-- By class, then by day. The table that there was is the class without a limit; its days are renamed to say so.
alter table realtime.events rename to events_0;
create table realtime.events (like realtime.events_0 including defaults) partition by list (retention_class);
alter table realtime.events attach partition realtime.events_0 for values in (0);
alter table realtime.events_0 drop constraint events_class;
do $$
declare
  day record;
begin
  for day in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'realtime.events_0'::regclass
  loop
    execute format('alter table realtime.%I rename to %I', day.relname, replace(day.relname, 'events_', 'events_0_'));
  end loop;
end
$$;

-- The nodes' configuration, for what happens in the database itself. Each node writes it when it starts.
create table realtime.topic_types (
  type text collate "C" primary key,
  -- Its policy holds for types that have no row.
  is_default boolean not null,
  durability text not null,
  servers_publish boolean not null,
  -- Names, or beginnings with a last *.
  ephemeral_events text[] not null,
  payload_bytes integer not null,
  retention_class integer not null,
  keep_events bigint,
  id_window interval not null
);
create unique index on realtime.topic_types (is_default) where is_default;

create function realtime.type_of(topic text) returns text language sql stable as $$
  select type from realtime.topic_types where type = split_part($1, ':', 1) or is_default order by type = split_part($1, ':', 1) desc limit 1
$$;

-- What is known about partitions beyond that they are there.
create table realtime.partition_states (
  partition text primary key,
  -- When this past day was last looked at for events below their topics' floors.
  checked_at timestamptz,
  -- On its way out: what was begun is to be finished, whoever began it.
  dropping boolean not null default false
);

-- Makes a partition if it is missing. Attaching an empty table does not hold up publishes, as creating it in place would.
-- Each partition has its one unique index: on the parent it would have to contain created_at and would enforce nothing.
create function realtime.create_partition(parent text, day date, key text) returns integer language plpgsql as $$
declare
  name text := parent || '_' || to_char(day, 'YYYYMMDD');
begin
  if to_regclass(format('realtime.%I', name)) is not null then
    return 0;
  end if;
  execute format('create table realtime.%I (like realtime.%I including defaults)', name, parent);
  execute format('create unique index on realtime.%I (%s)', name, key);
  execute format('alter table realtime.%I attach partition realtime.%I for values from (%L) to (%L)',
    parent, name, day || ' 00:00:00+00', (day + 1) || ' 00:00:00+00');
  return 1;
end
$$;

create function realtime.create_events_partition(class integer, day date) returns integer language plpgsql as $$
declare
  parent text := 'events_' || class;
begin
  if to_regclass(format('realtime.%I', parent)) is null then
    execute format('create table realtime.%I (like realtime.events including defaults) partition by range (created_at)', parent);
    execute format('alter table realtime.events attach partition realtime.%I for values in (%s)', parent, class);
  end if;
  return realtime.create_partition(parent, day, 'topic_id, "offset"');
end
$$;

create or replace function realtime.create_partitions(days_ahead integer) returns integer language plpgsql as $$
declare
  today date := (clock_timestamp() at time zone 'utc')::date;
  day date;
  class integer;
  made integer := 0;
begin
  perform pg_advisory_xact_lock(hashtext('realtime.create_partitions'));
  for day in select generate_series(today - 1, today + days_ahead, interval '1 day')::date loop
    made := made + realtime.create_partition('event_ids', day, 'topic_id, publisher, id');
    for class in select 0 union select retention_class from realtime.topic_types where durability = 'durable' loop
      made := made + realtime.create_events_partition(class, day);
    end loop;
  end loop;
  return made;
end
$$;
