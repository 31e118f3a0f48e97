set local lock_timeout = '2s';

-- The publisher's signature as subscribers get it, JSON; null: there is none.
alter table realtime.events add column signature text;
alter table realtime.topic_types add column requires_signature boolean not null default false;

-- The public keys with which publishers sign. They are never removed: old events are verified with them.
create table realtime.signing_keys (
  tenant text collate "C" not null,
  -- The thumbprint of the key.
  key_id text collate "C" not null,
  -- Whose it is, as events have it: a user, key:{id} of a service key; empty for the server itself.
  user_id text collate "C" not null,
  -- x and y of a point of P-256.
  public_key bytea not null check (octet_length(public_key) = 64),
  created_by text not null,
  created_at timestamptz not null default now(),
  -- Nothing is accepted with it from then on.
  revoked_at timestamptz,
  primary key (tenant, key_id)
);
create index on realtime.signing_keys (tenant, user_id);
alter table realtime.signing_keys enable row level security;
alter table realtime.signing_keys force row level security;
do $$
begin
  execute format('create policy upkeep on realtime.signing_keys to %I using (true)', current_user);
end
$$;
create trigger tell after insert or update or delete on realtime.signing_keys for each row execute function realtime.tell_access('signing');

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
      when 'signature_required' then 'RT012'
    end;
end
$$;

-- SQL has no signature: where one is required, it is refused.
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
  if policy.requires_signature then
    perform realtime.refuse('signature_required', 'Events of this topic have to be signed by their publishers; use the hub or HTTP.');
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
