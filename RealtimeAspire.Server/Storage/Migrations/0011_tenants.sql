set local lock_timeout = '2s';

-- The roles of the second wall belong to the whole cluster. The nodes' login sets them for what it reads and appends, so it has
-- to be a member; `set role` asks the login and nobody else.
do $$
declare
  role text;
  own text := current_setting('role');
begin
  foreach role in array array['realtime_reader', 'realtime_appender'] loop
    begin
      if not exists (select from pg_roles where rolname = role) then
        execute format('create role %I nologin', role);
      end if;
    exception
      -- Another database of the cluster was first.
      when duplicate_object or unique_violation then null;
      when insufficient_privilege then
        raise exception 'the role % is missing, and % may not create it. Let an administrator run: create role realtime_reader nologin; create role realtime_appender nologin; grant realtime_reader, realtime_appender to %', role, current_user, quote_ident(session_user);
    end;
    begin
      perform set_config('role', role, true);
    exception when insufficient_privilege then
      begin
        execute format('grant %I to %I', role, session_user);
        perform set_config('role', role, true);
      exception when insufficient_privilege then
        raise exception '% may not act as the role %. Let an administrator run: grant realtime_reader, realtime_appender to %', session_user, role, quote_ident(session_user);
      end;
    end;
    perform set_config('role', own, true);
  end loop;
end
$$;

-- Who there is, and what each may have at most; null: what the nodes' configuration says.
create table realtime.tenants (
  tenant text collate "C" primary key check (tenant ~ '^[A-Za-z0-9._~-]{1,64}$'),
  created_at timestamptz not null default now(),
  -- Nothing comes in or goes out from then on.
  suspended_at timestamptz,
  reason text check (reason is null or suspended_at is not null),
  connections integer check (connections >= 0),
  topics integer check (topics >= 0),
  subscriptions_per_connection integer check (subscriptions_per_connection >= 0),
  publishes_per_second integer check (publishes_per_second >= 0),
  payload_bytes integer check (payload_bytes >= 1),
  retention_days integer check (retention_days between 1 and 3650)
);
insert into realtime.tenants (tenant) values ('default');

-- Events go to the class of their type, or to that of their tenant where it keeps them for less.
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
    for class in
      select 0
      union select retention_class from realtime.topic_types where durability = 'durable'
      union select retention_days from realtime.tenants where retention_days is not null
    loop
      made := made + realtime.create_events_partition(class, day);
    end loop;
  end loop;
  return made;
end
$$;

-- The nodes read the table again, whoever has changed it.
create function realtime.tenants_changed() returns trigger language plpgsql as $$
begin
  perform pg_notify('realtime_tenants', '');
  return null;
end
$$;
create trigger tenants_changed after insert or update or delete or truncate on realtime.tenants
  for each statement execute function realtime.tenants_changed();

-- Before any node knows of a new class there is a place for its events.
create function realtime.tenant_retention_changed() returns trigger language plpgsql as $$
begin
  perform realtime.create_partitions(7);
  return null;
end
$$;
create trigger tenant_retention_changed after insert or update of retention_days on realtime.tenants
  for each row when (new.retention_days is not null) execute function realtime.tenant_retention_changed();

create or replace function realtime.refuse(code text, sentence text) returns void language plpgsql as $$
begin
  raise exception using
    message = code || ': ' || sentence,
    errcode = case code
      when 'request_invalid' then 'RT001'
      when 'topic_invalid' then 'RT002'
      when 'topic_type_unknown' then 'RT003'
      when 'event_invalid' then 'RT004'
      when 'event_not_allowed' then 'RT005'
      when 'id_invalid' then 'RT006'
      when 'id_conflict' then 'RT007'
      when 'payload_invalid' then 'RT008'
      when 'payload_too_large' then 'RT009'
      when 'tenant_suspended' then 'RT010'
      when 'quota_exceeded' then 'RT011'
    end;
end
$$;

-- What a type's policy is for a tenant, if that may publish at all.
create function realtime.require_tenant(policy realtime.topic_types, tenant text, topic text, payload text)
returns realtime.topic_types language plpgsql stable as $$
declare
  quotas realtime.tenants;
begin
  select * into quotas from realtime.tenants t where t.tenant = require_tenant.tenant;
  if quotas.suspended_at is not null then
    perform realtime.refuse('tenant_suspended', 'This tenant is suspended.');
  end if;
  if octet_length(convert_to(payload, 'UTF8')) > quotas.payload_bytes then
    perform realtime.refuse('payload_too_large', 'The payload is larger than this tenant may publish.');
  end if;
  if quotas.topics is not null
     and not exists (select from realtime.topics t where t.tenant = require_tenant.tenant and t.topic = require_tenant.topic)
     and (select count(*) from realtime.topics t where t.tenant = require_tenant.tenant) >= quotas.topics then
    perform realtime.refuse('quota_exceeded', 'This tenant has as many topics as it may have.');
  end if;
  policy.retention_class := coalesce(least(nullif(policy.retention_class, 0), quotas.retention_days), 0);
  return policy;
end
$$;

create or replace function realtime.require_form(topic text, event text, payload text, id text, entity_id text, version integer, tenant text, publisher text)
returns realtime.topic_types language plpgsql stable as $$
declare
  policy realtime.topic_types;
begin
  if topic is null or topic collate "C" !~ '^[a-z][a-z0-9-]{0,31}:[A-Za-z0-9._~@|+=-]{1,128}$' then
    perform realtime.refuse('topic_invalid', 'A topic is type:identifier, for example room:general.');
  end if;
  select * into policy from realtime.topic_types t where t.type = realtime.type_of(topic);
  if policy.type is null then
    perform realtime.refuse('topic_type_unknown', 'The nodes have no such topic type.');
  end if;
  if policy.durability <> 'durable' then
    perform realtime.refuse('request_invalid', 'Only topics of durable types are published to here; use the hub or HTTP.');
  end if;
  if event is null or event collate "C" !~ '^[A-Za-z][A-Za-z0-9._:-]{0,63}$' then
    perform realtime.refuse('event_invalid', 'An event name is 1 to 64 of letters, digits and . _ : - and starts with a letter.');
  end if;
  if not policy.servers_publish then
    perform realtime.refuse('event_not_allowed', 'Servers may not publish on topics of this type.');
  end if;
  if exists (select from unnest(policy.ephemeral_events) p where case when right(p, 1) = '*' then starts_with(event, left(p, -1)) else event = p end) then
    perform realtime.refuse('request_invalid', 'Events of this name are not stored; use the hub or HTTP.');
  end if;
  if payload is null then
    perform realtime.refuse('payload_invalid', 'The payload is missing.');
  end if;
  if octet_length(convert_to(payload, 'UTF8')) > policy.payload_bytes then
    perform realtime.refuse('payload_too_large', 'The payload is larger than topics of this type take.');
  end if;
  if realtime.is_deep(payload) then
    perform realtime.refuse('payload_invalid', 'The payload is nested deeper than 32 levels.');
  end if;
  if id collate "C" !~ '^[!-~]{1,128}$' then
    perform realtime.refuse('id_invalid', 'An id is 1 to 128 visible ASCII characters.');
  end if;
  -- Characters beyond the basic plane count twice, as they do in the nodes.
  if entity_id = '' or length(entity_id) + length(regexp_replace(entity_id, '[\u0001-\uFFFF]', '', 'g')) > 128
     or entity_id collate "C" ~ '[\u0001-\u001F\u007F-\u009F]' then
    perform realtime.refuse('request_invalid', 'An entity_id is 1 to 128 characters without control characters.');
  end if;
  if version is null or version < 1 then
    perform realtime.refuse('request_invalid', 'A version is 1 or more.');
  end if;
  if tenant is null or tenant collate "C" !~ '^[A-Za-z0-9._~@|+=-]{1,64}$' then
    perform realtime.refuse('request_invalid', 'A tenant is 1 to 64 of the characters that a topic identifier may have.');
  end if;
  if publisher = '' or length(publisher) > 255 then
    perform realtime.refuse('request_invalid', 'A publisher is 1 to 255 characters.');
  end if;
  return realtime.require_tenant(policy, tenant, topic, payload);
end
$$;

-- The tenant for whom is read; null, which is nobody's, unless it is set.
create function realtime.reading_tenant() returns text language sql stable parallel safe as $$
  select nullif(current_setting('realtime.tenant', true), '')
$$;

-- The wall. Forced, so that it stands before the tables' owner too: it passes by a policy of its own, for the partitions' upkeep
-- and realtime.publish, and whoever comes to own the tables later does not pass until it has one. Partitions are reached through
-- their parents alone: on them nobody but the owner has any right.
do $$
declare
  name text;
begin
  -- Whatever holds data of tenants says whose it is.
  for name in
    select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
     where c.relnamespace = 'realtime'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and a.attname = 'tenant' and not a.attisdropped
  loop
    execute format('alter table realtime.%I enable row level security', name);
    execute format('alter table realtime.%I force row level security', name);
    execute format('create policy upkeep on realtime.%I to %I using (true)', name, current_user);
  end loop;
  -- Once per statement, not per row.
  foreach name in array array['topics', 'events', 'cursors'] loop
    execute format('create policy reading on realtime.%I for select to realtime_reader using (tenant = (select realtime.reading_tenant()))', name);
    execute format('grant select on realtime.%I to realtime_reader', name);
  end loop;
  -- It writes for many tenants at once, and reads nothing that anybody has written.
  foreach name in array array['topics', 'events', 'event_ids', 'tenants'] loop
    execute format('create policy appending on realtime.%I to realtime_appender using (true)', name);
  end loop;
end
$$;
grant usage on schema realtime to realtime_reader, realtime_appender;
grant select, insert on realtime.topics to realtime_appender;
grant update (last_offset, last_at) on realtime.topics to realtime_appender;
grant insert on realtime.events to realtime_appender;
grant select, insert, delete on realtime.event_ids to realtime_appender;
grant select (tenant, topics) on realtime.tenants to realtime_appender;
revoke execute on all functions in schema realtime from public;
grant execute on function realtime.incarnation, realtime.reading_tenant to realtime_reader;
grant execute on function realtime.incarnation, realtime.topic_lock to realtime_appender;
