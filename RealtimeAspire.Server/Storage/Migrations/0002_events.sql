create table realtime.events (
  -- The tenant of the topic, in every row, so that rows can be counted, moved and policed by it. In no index: topic_id says
  -- the same, and a second way to a row would lead the planner astray.
  tenant text collate "C" not null,
  topic_id bigint not null,
  "offset" bigint not null,
  id text not null,
  event text not null,
  version integer not null,
  entity_id text,
  payload text not null,
  user_id text,
  trace_id text,
  created_at timestamptz not null
) partition by range (created_at);

-- What was published under which id, for the dedupe window.
create table realtime.event_ids (
  tenant text collate "C" not null,
  topic_id bigint not null,
  publisher text not null,
  id text not null,
  "offset" bigint not null,
  content bytea not null,
  created_at timestamptz not null
) partition by range (created_at);

-- Makes the partitions of yesterday up to so many days ahead. Attaching an empty table does not hold up publishes, as
-- creating it in place would. Each partition has its one unique index: on the parent it would have to contain created_at
-- and would enforce nothing.
create function realtime.create_partitions(days_ahead integer) returns integer language plpgsql as $$
declare
  today date := (clock_timestamp() at time zone 'utc')::date;
  day date;
  suffix text;
  made integer := 0;
begin
  perform pg_advisory_xact_lock(hashtext('realtime.create_partitions'));
  for day in select generate_series(today - 1, today + days_ahead, interval '1 day')::date loop
    suffix := to_char(day, 'YYYYMMDD');
    if to_regclass('realtime.events_' || suffix) is null then
      execute format('create table realtime.%I (like realtime.events)', 'events_' || suffix);
      execute format('create unique index on realtime.%I (topic_id, "offset")', 'events_' || suffix);
      execute format('alter table realtime.events attach partition realtime.%I for values from (%L) to (%L)',
        'events_' || suffix, day || ' 00:00:00+00', (day + 1) || ' 00:00:00+00');
      execute format('create table realtime.%I (like realtime.event_ids)', 'event_ids_' || suffix);
      execute format('create unique index on realtime.%I (topic_id, publisher, id)', 'event_ids_' || suffix);
      execute format('alter table realtime.event_ids attach partition realtime.%I for values from (%L) to (%L)',
        'event_ids_' || suffix, day || ' 00:00:00+00', (day + 1) || ' 00:00:00+00');
      made := made + 1;
    end if;
  end loop;
  return made;
end
$$;
