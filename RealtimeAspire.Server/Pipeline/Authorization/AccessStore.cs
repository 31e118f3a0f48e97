using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Signing;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>Who may do what, in Postgres: private topics, their members, revocations. Each change is told to every node when it commits.</summary>
internal sealed class AccessStore(AccessDatabase database)
{
    /// <summary>Without it there are no memberships and no revocations.</summary>
    public bool Exists => database.Exists;

    /// <summary>A user's places in topics, and the keys with which he signs, those that count.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<(Dictionary<string, Membership> Places, Dictionary<string, SigningKey> Keys)> ReadUserAsync(string tenant, string user, CancellationToken cancellationToken)
    {
        var places = new Dictionary<string, Membership>(StringComparer.Ordinal);
        var keys = new Dictionary<string, SigningKey>(StringComparer.Ordinal);
        // One statement: who comes in waits for one round trip.
        await database.ReadAsync(
            """
            select topic, role, joined_offset, null::bytea from realtime.members where tenant = $1 and user_id = $2
            union all
            select key_id, null, null, public_key from realtime.signing_keys where tenant = $1 and user_id = $2 and revoked_at is null
            """,
            reader =>
            {
                if (reader.IsDBNull(3))
                {
                    places[reader.GetString(0)] = new Membership(ToRole(reader.GetString(1)), reader.GetInt64(2));
                }
                else
                {
                    keys[reader.GetString(0)] = new SigningKey(SigningJwk.FromBytes(reader.GetFieldValue<byte[]>(3)));
                }
            },
            cancellationToken,
            tenant,
            user);
        return (places, keys);
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<Dictionary<TopicKey, PrivateTopic>> ReadPrivateAsync(CancellationToken cancellationToken)
    {
        var topics = new Dictionary<TopicKey, PrivateTopic>();
        await database.ReadAsync(
            "select tenant, topic, shows_past from realtime.private_topics",
            reader => topics[new TopicKey(reader.GetString(0), TopicName.Parse(reader.GetString(1)))] = new PrivateTopic(reader.GetBoolean(2)),
            cancellationToken);
        return topics;
    }

    /// <summary>Null: it is not private.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<PrivateTopic?> ReadPrivateAsync(TopicKey topic, CancellationToken cancellationToken)
    {
        PrivateTopic? found = null;
        await database.ReadAsync(
            "select shows_past from realtime.private_topics where tenant = $1 and topic = $2",
            reader => found = new PrivateTopic(reader.GetBoolean(0)),
            cancellationToken,
            topic.Tenant,
            topic.Name.Value);
        return found;
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<IReadOnlyList<Revocation>> ReadRevocationsAsync(CancellationToken cancellationToken)
    {
        var revocations = new List<Revocation>();
        await database.ReadAsync(
            "select tenant, kind, subject, issued_until from realtime.revocations where forget_at is null or forget_at > now()",
            reader => revocations.Add(ToRevocation(reader)),
            cancellationToken);
        return revocations;
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<IReadOnlyList<Revocation>> ReadRevocationsAsync(string tenant, string subject, CancellationToken cancellationToken)
    {
        var revocations = new List<Revocation>();
        await database.ReadAsync(
            "select tenant, kind, subject, issued_until from realtime.revocations where tenant = $1 and subject = $2",
            reader => revocations.Add(ToRevocation(reader)),
            cancellationToken,
            tenant,
            subject);
        return revocations;
    }

    /// <summary>A later moment counts, an earlier one changes nothing.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task RevokeAsync(Revocation revocation, DateTimeOffset? forgetAt, CancellationToken cancellationToken) => database.RunAsync(
        """
        insert into realtime.revocations as r (tenant, kind, subject, issued_until, forget_at) values ($1, $2, $3, $4, $5)
            on conflict (tenant, kind, subject) do update set issued_until = greatest(r.issued_until, excluded.issued_until), forget_at = greatest(r.forget_at, excluded.forget_at)
        """,
        cancellationToken,
        revocation.Of.Tenant,
        revocation.Of.Kind,
        revocation.Of.Id,
        revocation.IssuedUntil,
        forgetAt);

    /// <summary>Makes a topic private, or changes how it is. The first time its maker becomes its owner.</summary>
    /// <returns>Whether it was new.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<bool> MakePrivateAsync(TopicKey topic, bool showsPast, string by, CancellationToken cancellationToken)
    {
        var isNew = false;
        await database.ReadAsync(
            """
            with made as (
              insert into realtime.private_topics (tenant, topic, shows_past, created_by) values ($1, $2, $3, $4)
                  on conflict (tenant, topic) do update set shows_past = excluded.shows_past returning xmax = 0 as is_new),
            owner as (
              insert into realtime.members (tenant, topic, user_id, role, joined_offset)
              select $1, $2, $4, 'owner', 0 from made where is_new
                  on conflict (tenant, topic, user_id) do update set role = 'owner', joined_offset = 0)
            select is_new from made
            """,
            reader => isNew = reader.GetBoolean(0),
            cancellationToken,
            topic.Tenant,
            topic.Name.Value,
            showsPast,
            by);
        return isNew;
    }

    /// <summary>Makes a topic two users' own: members of it both, and nobody manages it. Once it is, it stays as it is.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task MakeDirectAsync(TopicKey topic, string by, string other, CancellationToken cancellationToken) => database.RunAsync(
        """
        with made as (
          insert into realtime.private_topics (tenant, topic, shows_past, created_by) values ($1, $2, true, $3) on conflict (tenant, topic) do nothing returning 1)
        insert into realtime.members (tenant, topic, user_id, role, joined_offset)
        select $1, $2, u, 'member', 0 from (select $3 union select $4) users(u) where u = $3 or exists (select from made)
            on conflict (tenant, topic, user_id) do nothing
        """,
        cancellationToken,
        topic.Tenant,
        topic.Name.Value,
        by,
        other);

    /// <summary>Opens a topic as its type is. Its members stay what they are.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task OpenAsync(TopicKey topic, CancellationToken cancellationToken) =>
        database.RunAsync("delete from realtime.private_topics where tenant = $1 and topic = $2", cancellationToken, topic.Tenant, topic.Name.Value);

    /// <summary>Gives a user a place, or another role; he keeps the moment at which he joined.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="user">The user.</param>
    /// <param name="role">His role from now on.</param>
    /// <param name="by">Who says so. Somebody whom another one has made a member is to be told.</param>
    /// <param name="mayMakeOwners">Whether this may make or unmake an owner.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task<MemberChange> SetMemberAsync(TopicKey topic, string user, Role role, string by, bool mayMakeOwners, CancellationToken cancellationToken) => ChangeAsync(
        """
        insert into realtime.members as m (tenant, topic, user_id, role, joined_offset, invited_by, invitation_due)
        select $1, $2, $3, $5, coalesce((select last_offset from realtime.topics where tenant = $1 and topic = $2), 0), nullif($6, $3),
               case when $6 <> $3 and $5 <> 'banned' then now() end
          from verdict where is_done
            on conflict (tenant, topic, user_id) do update set role = excluded.role,
               joined_offset = case when m.role = 'banned' then excluded.joined_offset else m.joined_offset end,
               joined_at = case when m.role = 'banned' then now() else m.joined_at end
        """,
        topic,
        user,
        role,
        by,
        mayMakeOwners,
        cancellationToken);

    /// <summary>Takes a user's place away.</summary>
    /// <inheritdoc cref="SetMemberAsync" path="/param[@name!='role' and @name!='by']"/>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task<MemberChange> RemoveMemberAsync(TopicKey topic, string user, bool mayMakeOwners, CancellationToken cancellationToken) => ChangeAsync(
        "delete from realtime.members where tenant = $1 and topic = $2 and user_id = $3 and exists (select from verdict where is_done)",
        topic,
        user,
        role: null,
        by: "",
        mayMakeOwners,
        cancellationToken);

    /// <param name="topic">The topic.</param>
    /// <param name="after">Those behind this user, in the order of their names.</param>
    /// <param name="limit">The most of them.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<IReadOnlyList<Member>> ReadMembersAsync(TopicKey topic, string after, int limit, CancellationToken cancellationToken)
    {
        var members = new List<Member>();
        await database.ReadAsync(
            "select user_id, role, joined_at from realtime.members where tenant = $1 and topic = $2 and user_id > $3 order by user_id limit $4",
            reader => members.Add(new Member(reader.GetString(0), reader.GetString(1), reader.GetFieldValue<DateTimeOffset>(2))),
            cancellationToken,
            topic.Tenant,
            topic.Name.Value,
            after,
            limit);
        return members;
    }

    /// <summary>How many members topics have, but for those who are banned.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<Dictionary<string, long>> CountMembersAsync(string tenant, string[] topics, CancellationToken cancellationToken)
    {
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        await database.ReadAsync(
            "select topic, count(*) from realtime.members where tenant = $1 and topic = any($2) and role <> 'banned' group by topic",
            reader => counts[reader.GetString(0)] = reader.GetInt64(1),
            cancellationToken,
            tenant,
            topics);
        return counts;
    }

    /// <summary>One after the other for each topic: two owners who leave together do not both find the other one still there.</summary>
    private async Task<MemberChange> ChangeAsync(string sql, TopicKey topic, string user, Role? role, string by, bool mayMakeOwners, CancellationToken cancellationToken)
    {
        var change = MemberChange.Done;
        await database.ReadAsync(
            $"""
            with owners as (select user_id from realtime.members where tenant = $1 and topic = $2 and role = 'owner' order by user_id for update),
            facts as (
              select exists (select from owners where user_id = $3) as is_owner, $5 = 'owner' as becomes_owner,
                     exists (select from owners where user_id <> $3) as has_others),
            verdict as (
              select (is_owner or becomes_owner) and not $4 and is_owner is distinct from becomes_owner as is_forbidden,
                     is_owner and not becomes_owner and not has_others as is_last,
                     not ((is_owner or becomes_owner) and not $4 and is_owner is distinct from becomes_owner) and not (is_owner and not becomes_owner and not has_others) as is_done
                from facts),
            changed as ({sql} returning 1)
            select is_forbidden, is_last, (select count(*) from changed) from verdict
            """,
            reader => change = reader.GetBoolean(0) ? MemberChange.Forbidden : reader.GetBoolean(1) ? MemberChange.LastOwner : MemberChange.Done,
            cancellationToken,
            topic.Tenant,
            topic.Name.Value,
            user,
            mayMakeOwners,
            role?.ToString().ToLowerInvariant() ?? "",
            by);
        return change;
    }

    // A role that this release does not know gives nothing.
    private static Role ToRole(string text) => Roles.TryParse(text, out var role) ? role : Role.Banned;

    private static Revocation ToRevocation(NpgsqlDataReader reader) =>
        new(new Revocation.Subject(reader.GetString(0), reader.GetString(1), reader.GetString(2)), reader.GetFieldValue<DateTimeOffset>(3));
}

/// <summary>A member as others see him.</summary>
internal sealed record Member(string User, string Role, DateTimeOffset JoinedAt);

/// <summary>What became of a change of a member.</summary>
internal enum MemberChange
{
    /// <summary>It is as was asked for.</summary>
    Done,

    /// <summary>Only owners make and unmake owners.</summary>
    Forbidden,

    /// <summary>A private topic keeps one owner.</summary>
    LastOwner,
}
