-- Held by whoever makes a topic, until that is committed: so that others can tell without waiting.
create function realtime.topic_lock(tenant text, topic text) returns bigint language sql immutable parallel safe as $$
  select hashtextextended('realtime.topics/' || tenant || '/' || topic, 0)
$$;

-- What is wrong with a publish: the code and sentence of the product, and a SQLSTATE of a class of our own for each code.
create function realtime.refuse(code text, sentence text) returns void language plpgsql as $$
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
    end;
end
$$;

-- Whether valid JSON is nested deeper than 32 levels. Each round takes the innermost pairs away.
create function realtime.is_deep(json text) returns boolean language plpgsql immutable as $$
declare
  brackets text;
begin
  if length(json) - length(translate(json, '[{', '')) <= 32 then
    return false;
  end if;
  brackets := translate(regexp_replace(regexp_replace(json, '"([^"\\]|\\.)*"', '', 'g'), '[^][{}]', '', 'g'), '{}', '[]');
  for round in 1..32 loop
    brackets := replace(brackets, '[]', '');
  end loop;
  return brackets <> '';
end
$$;

-- What makes two publishes of the same id the same event; the nodes compute the same.
create function realtime.content_hash(event text, version integer, entity_id text, payload text) returns bytea language sql immutable as $$
  select substr(sha256(
    substr(int4send(version), 4, 1) || substr(int4send(version), 3, 1) || substr(int4send(version), 2, 1) || substr(int4send(version), 1, 1)
    || convert_to(event, 'UTF8') || '\x00'::bytea || convert_to(coalesce(entity_id, ''), 'UTF8') || '\x00'::bytea || convert_to(payload, 'UTF8')), 1, 16)
$$;

create function realtime.require_form(topic text, event text, payload text, id text, entity_id text, version integer, tenant text, publisher text)
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
  return policy;
end
$$;

-- Publishes inside the caller's own transaction, and is rolled back with it. It holds the topic's row until that transaction
-- ends, as the nodes' append does: so offsets commit in order. The planner's settings are those of the nodes' append.
create function realtime.publish(
  topic text, event text, payload json, id text default null,
  entity_id text default null, version integer default 1, tenant text default 'default', publisher text default null,
  out epoch text, out "offset" bigint, out "timestamp" timestamptz, out duplicate boolean)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set jit = off set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  policy realtime.topic_types := realtime.require_form(
    publish.topic, publish.event, publish.payload::text, publish.id, publish.entity_id, publish.version, publish.tenant, publish.publisher);
  the_id text := coalesce(publish.id, gen_random_uuid()::text);
  the_publisher text := coalesce(publish.publisher, '');
  content bytea := realtime.content_hash(publish.event, publish.version, publish.entity_id, publish.payload::text);
  oldest timestamptz;
  head realtime.topics;
  known realtime.event_ids;
begin
  loop
    select * into head from realtime.topics t where t.tenant = publish.tenant and t.topic = publish.topic for update;
    exit when found;
    perform pg_advisory_xact_lock(realtime.topic_lock(publish.tenant, publish.topic));
    insert into realtime.topics (tenant, topic) values (publish.tenant, publish.topic) on conflict (tenant, topic) do nothing;
  end loop;
  publish.epoch := head.epoch || realtime.incarnation();

  -- A statement after the lock's: it sees what was committed until then.
  select date_trunc('day', clock_timestamp() - max(id_window), 'UTC') into oldest from realtime.topic_types where durability = 'durable';
  select * into known from realtime.event_ids i
   where i.topic_id = head.topic_id and i.publisher = the_publisher and i.id = the_id and i.created_at >= oldest
   order by i.created_at desc limit 1;
  if known.created_at > clock_timestamp() - policy.id_window then
    if known.content <> content then
      perform realtime.refuse('id_conflict', 'This id was used for another event on this topic.');
    end if;
    publish."offset" := known."offset";
    publish."timestamp" := known.created_at;
    publish.duplicate := true;
    return;
  end if;
  delete from realtime.event_ids i
   where i.topic_id = head.topic_id and i.publisher = the_publisher and i.id = the_id and i.created_at = known.created_at;

  update realtime.topics t set last_offset = t.last_offset + 1, last_at = greatest(t.last_at, date_trunc('milliseconds', clock_timestamp()))
   where t.topic_id = head.topic_id returning t.last_offset, t.last_at, false into publish."offset", publish."timestamp", publish.duplicate;
  insert into realtime.events (tenant, topic_id, "offset", id, event, version, entity_id, payload, user_id, created_at, retention_class)
  values (publish.tenant, head.topic_id, publish."offset", the_id, publish.event, publish.version, publish.entity_id, publish.payload::text,
          publish.publisher, publish."timestamp", policy.retention_class);
  insert into realtime.event_ids (tenant, topic_id, publisher, id, "offset", content, created_at)
  values (publish.tenant, head.topic_id, the_publisher, the_id, publish."offset", content, publish."timestamp");
  perform pg_notify('realtime_events', publish.tenant || '/' || publish.topic);
end
$$;

-- Applications get it by this role: grant realtime_publisher to my_app.
do $$
begin
  if not exists (select from pg_roles where rolname = 'realtime_publisher') then
    create role realtime_publisher nologin;
  end if;
exception
  -- Another database of the cluster was first; or this role may not create roles, then its owner grants what is granted below.
  when duplicate_object or unique_violation or insufficient_privilege then null;
end
$$;
revoke execute on all functions in schema realtime from public;
do $$
begin
  if exists (select from pg_roles where rolname = 'realtime_publisher') then
    grant usage on schema realtime to realtime_publisher;
    grant execute on function realtime.publish to realtime_publisher;
  end if;
end
$$;
