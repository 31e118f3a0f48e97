-- The built-in identity: accounts, attempts to sign in, and what came of them.

create table realtime.accounts (
  tenant text collate "C" not null,
  user_id text collate "C" not null,
  password_hash text not null,
  -- What its tokens grant; null: they say nothing of it.
  grants text,
  disabled boolean not null default false,
  created_by text not null,
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  primary key (tenant, user_id)
);

-- Of names, whether there are such accounts or not: whoever tries cannot tell.
create table realtime.sign_in_failures (
  tenant text collate "C" not null,
  user_id text collate "C" not null,
  failed integer not null,
  locked_until timestamptz,
  last_at timestamptz not null,
  primary key (tenant, user_id)
);
create index on realtime.sign_in_failures (last_at);

-- One row for each sign-in, however often its refresh token has been used: each token follows from the one before it.
create table realtime.sign_ins (
  sign_in_id text collate "C" primary key,
  tenant text collate "C" not null,
  user_id text collate "C" not null,
  -- Of the token that counts.
  hash bytea not null,
  -- Of the one before, and when it was used.
  previous_hash bytea,
  rotated_at timestamptz,
  started_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ends_at timestamptz not null,
  revoked_at timestamptz
);
create index on realtime.sign_ins (tenant, user_id);
create index on realtime.sign_ins (expires_at);

-- Takes back what was issued to a user up to a moment, and ends his sign-ins where they shall end.
create function realtime.revoke_user(p_tenant text, p_user text, p_until timestamptz, p_forget timestamptz, p_sign_ins boolean) returns void language plpgsql as $$
begin
  if p_sign_ins then
    update realtime.sign_ins set revoked_at = clock_timestamp() where tenant = p_tenant and user_id = p_user and revoked_at is null;
  end if;
  insert into realtime.revocations as r (tenant, kind, subject, issued_until, forget_at) values (p_tenant, 'user', p_user, p_until, p_forget)
      on conflict (tenant, kind, subject) do update set issued_until = greatest(r.issued_until, excluded.issued_until),
         forget_at = case when r.forget_at is null or excluded.forget_at is null then null else greatest(r.forget_at, excluded.forget_at) end;
end
$$;

-- Ends one sign-in, and with it the access tokens that came of it.
create function realtime.revoke_sign_in(p_sign_in text, p_tenant text, p_keep interval) returns void language plpgsql as $$
begin
  update realtime.sign_ins set revoked_at = clock_timestamp() where sign_in_id = p_sign_in and revoked_at is null;
  insert into realtime.revocations (tenant, kind, subject, issued_until, forget_at)
  values (p_tenant, 'token', 'sid:' || p_sign_in, clock_timestamp() + p_keep, clock_timestamp() + p_keep)
      on conflict (tenant, kind, subject) do nothing;
end
$$;

-- With the password hash '' the old one is kept.
create function realtime.set_account(
  p_tenant text, p_user text, p_password_hash text, p_grants text, p_disabled boolean, p_by text, p_until timestamptz, p_forget timestamptz)
returns text language plpgsql as $$
declare
  is_new boolean;
begin
  if p_password_hash = '' then
    update realtime.accounts set grants = nullif(p_grants, ''), disabled = p_disabled, changed_at = now() where tenant = p_tenant and user_id = p_user;
    if not found then
      return 'missing';
    end if;
    is_new := false;
  else
    insert into realtime.accounts as a (tenant, user_id, password_hash, grants, disabled, created_by)
    values (p_tenant, p_user, p_password_hash, nullif(p_grants, ''), p_disabled, p_by)
        on conflict (tenant, user_id) do update set password_hash = excluded.password_hash, grants = excluded.grants, disabled = excluded.disabled, changed_at = now()
    returning xmax = 0 into is_new;
    delete from realtime.sign_in_failures where tenant = p_tenant and user_id = p_user;
  end if;
  if is_new then
    return 'created';
  end if;
  perform realtime.revoke_user(p_tenant, p_user, p_until, p_forget, p_disabled or p_password_hash <> '');
  return 'changed';
end
$$;

create function realtime.delete_account(p_tenant text, p_user text, p_until timestamptz, p_forget timestamptz) returns boolean language plpgsql as $$
begin
  delete from realtime.accounts where tenant = p_tenant and user_id = p_user;
  if not found then
    return false;
  end if;
  perform realtime.revoke_user(p_tenant, p_user, p_until, p_forget, true);
  return true;
end
$$;

-- An attempt counts as failed before its password is looked at, so that many at once are no more tries than one after the other.
create function realtime.begin_sign_in(p_tenant text, p_user text, p_failures integer, p_first interval, p_longest interval)
returns table (wait double precision, password_hash text, grants text) language plpgsql as $$
#variable_conflict use_column
declare
  f realtime.sign_in_failures;
  tries integer;
begin
  delete from realtime.sign_in_failures where (tenant, user_id) in (
    select tenant, user_id from realtime.sign_in_failures where last_at < now() - interval '1 day' order by last_at limit 10 for update skip locked);
  insert into realtime.sign_in_failures as known (tenant, user_id, failed, last_at) values (p_tenant, p_user, 0, clock_timestamp())
      on conflict (tenant, user_id) do update set failed = known.failed
  returning known.* into f;
  if f.locked_until > clock_timestamp() then
    return query select extract(epoch from f.locked_until - clock_timestamp())::double precision, null::text, null::text;
    return;
  end if;
  tries := f.failed + 1;
  update realtime.sign_in_failures set failed = tries, last_at = clock_timestamp(),
         locked_until = case when tries >= p_failures then clock_timestamp() + least(p_longest, p_first * power(2, least(tries - p_failures, 20))) end
   where tenant = p_tenant and user_id = p_user;
  return query select 0::double precision, a.password_hash, a.grants
    from (select 1) one left join realtime.accounts a on a.tenant = p_tenant and a.user_id = p_user and not a.disabled;
end
$$;

-- The account has to be what it was when the password was looked at. Answers up to when the user's tokens have been taken back, if they have.
create function realtime.start_sign_in(p_tenant text, p_user text, p_password_hash text, p_sign_in text, p_hash bytea, p_idle interval, p_longest interval)
returns table (issued_until timestamptz) language plpgsql as $$
begin
  perform 1 from realtime.accounts a where a.tenant = p_tenant and a.user_id = p_user and a.password_hash = p_password_hash and not a.disabled for share;
  if not found then
    return;
  end if;
  delete from realtime.sign_ins where sign_in_id in (
    select sign_in_id from realtime.sign_ins where expires_at < now() - interval '1 day' order by expires_at limit 10 for update skip locked);
  delete from realtime.sign_in_failures f where f.tenant = p_tenant and f.user_id = p_user;
  insert into realtime.sign_ins (sign_in_id, tenant, user_id, hash, expires_at, ends_at)
  values (p_sign_in, p_tenant, p_user, p_hash, clock_timestamp() + least(p_idle, p_longest), clock_timestamp() + p_longest);
  return query select r.issued_until from (select 1) one
    left join realtime.revocations r on r.tenant = p_tenant and r.kind = 'user' and r.subject = p_user;
end
$$;

-- One token for the next. What has been used before ends the sign-in, but for a client that asks twice at the same moment.
create function realtime.refresh_sign_in(p_sign_in text, p_hash bytea, p_next bytea, p_idle interval, p_grace interval, p_keep interval)
returns table (outcome text, tenant text, user_id text, grants text, issued_until timestamptz) language plpgsql as $$
#variable_conflict use_column
declare
  s realtime.sign_ins;
  a realtime.accounts;
  found_until timestamptz;
  became text;
begin
  select * into s from realtime.sign_ins where sign_in_id = p_sign_in for update;
  if s.sign_in_id is null then
    return query select 'unknown'::text, null::text, null::text, null::text, null::timestamptz;
    return;
  end if;
  select * into a from realtime.accounts k where k.tenant = s.tenant and k.user_id = s.user_id and not k.disabled;
  became := case
    when s.revoked_at is not null or a.user_id is null then 'revoked'
    when least(s.expires_at, s.ends_at) <= clock_timestamp() then 'expired'
    when s.hash = p_hash then 'rotated'
    when s.previous_hash = p_hash and s.hash = p_next and s.rotated_at > clock_timestamp() - p_grace then 'again'
    else 'reused'
  end;
  if became = 'rotated' then
    update realtime.sign_ins set previous_hash = hash, hash = p_next, rotated_at = clock_timestamp(), expires_at = least(ends_at, clock_timestamp() + p_idle)
     where sign_in_id = p_sign_in;
  elsif became = 'reused' then
    perform realtime.revoke_sign_in(p_sign_in, s.tenant, p_keep);
  end if;
  select r.issued_until into found_until from realtime.revocations r where r.tenant = s.tenant and r.kind = 'user' and r.subject = s.user_id;
  return query select became, s.tenant, s.user_id, a.grants, found_until;
end
$$;
