-- One row is one incarnation of a topic's log. Names are compared ordinally.
create table realtime.topics (
  topic_id bigint generated always as identity primary key,
  tenant text collate "C" not null,
  topic text collate "C" not null,
  epoch text not null default substr(md5(gen_random_uuid()::text), 1, 6),
  last_offset bigint not null default 0,
  last_at timestamptz not null default '-infinity',
  -- The lowest offset that may be read.
  floor bigint not null default 1,
  unique (tenant, topic)
) with (fillfactor = 50);

-- What makes an epoch belong to this database: another cluster (a restored dump) or another timeline (a failover, a
-- recovery to a point in time) may hold less than readers have seen, so its logs are new incarnations.
create function realtime.incarnation() returns text language sql stable parallel safe as $$
  select substr(md5((select system_identifier from pg_control_system()) || ':' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)), 1, 6)
$$;
