-- Who may do what, beside what tokens say. Nodes keep in memory what they need of it, and are told of each change when it commits.

-- Topics that are not open, whatever their type.
create table realtime.private_topics (
  tenant text collate "C" not null,
  topic text collate "C" not null,
  -- Whether members see what was there before they joined.
  shows_past boolean not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  primary key (tenant, topic)
);

create table realtime.members (
  tenant text collate "C" not null,
  topic text collate "C" not null,
  user_id text collate "C" not null,
  role text not null check (role in ('owner', 'admin', 'member', 'reader', 'banned')),
  -- The topic's tip when the member joined.
  joined_offset bigint not null,
  joined_at timestamptz not null default now(),
  primary key (tenant, topic, user_id)
);
create index on realtime.members (tenant, user_id);

-- Tokens that do not count any more: one of them by its id, or all of a user that were issued up to a moment.
create table realtime.revocations (
  tenant text collate "C" not null,
  kind text not null check (kind in ('token', 'user')),
  subject text collate "C" not null,
  issued_until timestamptz not null,
  -- When nobody needs to know any more; null: never.
  forget_at timestamptz,
  primary key (tenant, kind, subject)
);

-- The keys of backends. What is kept of a key's secret tells only whether it is the same.
create table realtime.service_keys (
  key_id text collate "C" primary key,
  tenant text collate "C" not null,
  name text not null,
  hash bytea not null,
  -- The hash of the secret before the last rotation, and until when it counts.
  previous_hash bytea,
  previous_until timestamptz,
  grants text not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);
create index on realtime.service_keys (tenant);

create function realtime.tell_access() returns trigger language plpgsql as $$
declare
  changed jsonb := to_jsonb(case when tg_op = 'DELETE' then old else new end);
begin
  perform pg_notify('realtime_access', jsonb_build_object(
    'kind', tg_argv[0], 'tenant', changed ->> 'tenant', 'topic', changed ->> 'topic',
    'subject', coalesce(changed ->> 'user_id', changed ->> 'subject', changed ->> 'key_id'))::text);
  return null;
end
$$;

create trigger tell after insert or update or delete on realtime.private_topics for each row execute function realtime.tell_access('topic');
create trigger tell after insert or update or delete on realtime.members for each row execute function realtime.tell_access('member');
create trigger tell after insert or update on realtime.revocations for each row execute function realtime.tell_access('revocation');
-- Not of its use, which changes nothing.
create trigger tell after insert or delete or update of hash, previous_hash, previous_until, grants, expires_at, revoked_at on realtime.service_keys
  for each row execute function realtime.tell_access('key');
