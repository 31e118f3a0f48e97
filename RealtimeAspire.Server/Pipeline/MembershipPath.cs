using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>Topics whose names say to whom they belong: nobody becomes the owner of one by asking first.</summary>
/// <param name="Has">Whether a topic is one of them.</param>
internal sealed record ReservedTopics(Func<TopicName, bool> Has);

/// <summary>
/// Says who is what in a topic: look up what the caller is now, authorize, put it on record, keep it sensible, store. This node does as
/// it says from the answer on, every other one within a second.
/// </summary>
internal sealed class MembershipPath(
    TopicAccess access, Memberships memberships, TopicCatalog topics, LogCatalog logs, AccessStore store, AuditTrail audit, IEnumerable<ReservedTopics> reserved)
{
    public const int DefaultLimit = 100;
    public const int MaxLimit = 1_000;
    private const int MaxUserLength = 255;

    /// <summary>Makes a topic private, or changes how it is. Who makes a private topic of a new one becomes its owner.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="topicName">Untrusted.</param>
    /// <param name="showsPast">Whether members see what was there before they joined.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <returns>Whether it was new.</returns>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<bool> MakePrivateAsync(Caller caller, string topicName, bool showsPast, CancellationToken cancellationToken)
    {
        var (topic, policy) = await ParseAsync(caller, topicName, cancellationToken);
        if (!TopicAccess.MayManage(caller, topic.Name))
        {
            access.RequireSubscribe(caller, policy, topic.Name);
            if (reserved.Any(kind => kind.Has(topic.Name)))
            {
                throw new RealtimeException(ErrorCode.Forbidden, "Topics with such names belong to certain users, and nobody takes one by himself.");
            }

            if (memberships.IsPrivate(caller.Tenant, topic.Name) || await logs.TipsOf(policy).ReadAsync(topic, cancellationToken) != Position.Origin)
            {
                throw new RealtimeException(ErrorCode.Forbidden, "Only who may manage a topic that is in use makes it private.");
            }
        }

        await RecordAsync(AuditAction.GrantChanged, caller, topic, ("privacy", showsPast ? "private, shows its past" : "private"));
        var isNew = await store.MakePrivateAsync(topic, showsPast, caller.UserId, cancellationToken);
        await LearnAsync(topic, caller.UserId, cancellationToken);
        return isNew;
    }

    /// <summary>Opens a topic as its type is.</summary>
    /// <inheritdoc cref="MakePrivateAsync" path="/param[@name!='showsPast']"/>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task OpenAsync(Caller caller, string topicName, CancellationToken cancellationToken)
    {
        var (topic, _) = await ParseAsync(caller, topicName, cancellationToken);
        TopicAccess.RequireManage(caller, topic.Name);
        await RecordAsync(AuditAction.GrantChanged, caller, topic, ("privacy", "open"));
        await store.OpenAsync(topic, cancellationToken);
        await LearnAsync(topic, caller.UserId, cancellationToken);
    }

    /// <summary>A page of the members, in the order of their names.</summary>
    /// <param name="caller">Who asks: whoever may read the topic.</param>
    /// <param name="topicName">Untrusted.</param>
    /// <param name="after">Those behind this user.</param>
    /// <param name="limit">Untrusted: 1 or more, cut to 1,000.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<IReadOnlyList<Member>> ListAsync(Caller caller, string topicName, string? after, int? limit, CancellationToken cancellationToken)
    {
        var (topic, policy) = await ParseAsync(caller, topicName, cancellationToken);
        if (!TopicAccess.MayManage(caller, topic.Name))
        {
            access.RequireSubscribe(caller, policy, topic.Name);
        }

        return limit < 1
            ? throw new RealtimeException(ErrorCode.RequestInvalid, "A limit is 1 or more.")
            : await store.ReadMembersAsync(topic, after ?? "", Math.Min(limit ?? DefaultLimit, MaxLimit), cancellationToken);
    }

    /// <summary>Gives a user a place, another one, or bans him.</summary>
    /// <param name="caller">Who asks: a manager of the topic; what owners are, only owners say.</param>
    /// <param name="topicName">Untrusted.</param>
    /// <param name="user">Untrusted.</param>
    /// <param name="role">Untrusted.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task SetAsync(Caller caller, string topicName, string user, string? role, CancellationToken cancellationToken)
    {
        var (topic, _) = await ParseAsync(caller, topicName, cancellationToken);
        RequireUser(user);
        if (!Roles.TryParse(role, out var wanted))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "A role is owner, admin, member, reader or banned.");
        }

        TopicAccess.RequireManage(caller, topic.Name);
        await RecordAsync(AuditAction.MemberChanged, caller, topic, ("user", user), ("role", role!));
        RequireDone(await store.SetMemberAsync(topic, user, wanted, caller.UserId, MayMakeOwners(caller, topic.Name), cancellationToken));
        await LearnAsync(topic, user, cancellationToken);
    }

    /// <summary>Takes a user's place away: what he has of the topic ends on every node. A user may leave by himself.</summary>
    /// <inheritdoc cref="SetAsync" path="/param[@name!='role']"/>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task RemoveAsync(Caller caller, string topicName, string user, CancellationToken cancellationToken)
    {
        var (topic, _) = await ParseAsync(caller, topicName, cancellationToken);
        RequireUser(user);
        var isOneself = user == caller.UserId;
        if (isOneself)
        {
            if (Memberships.RoleOf(caller, topic.Name) is { Role: Role.Banned })
            {
                throw new RealtimeException(ErrorCode.Forbidden, "Who is banned does not end that by leaving.");
            }
        }
        else
        {
            TopicAccess.RequireManage(caller, topic.Name);
        }

        await RecordAsync(isOneself ? AuditAction.MemberChanged : AuditAction.Kick, caller, topic, ("user", user), ("role", "none"));
        RequireDone(await store.RemoveMemberAsync(topic, user, isOneself || MayMakeOwners(caller, topic.Name), cancellationToken));
        await LearnAsync(topic, user, cancellationToken);
    }

    /// <summary>
    /// Makes the caller a member of a topic that is open to him. A place counts before what a token grants, so he has to have the rights that members have.
    /// </summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="topicName">Untrusted.</param>
    /// <param name="eventName">What members publish there.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task JoinAsync(Caller caller, string topicName, string eventName, CancellationToken cancellationToken)
    {
        var (topic, policy) = await ParseAsync(caller, topicName, cancellationToken);
        access.RequireSubscribe(caller, policy, topic.Name);
        if (Memberships.RoleOf(caller, topic.Name) is not null)
        {
            return;
        }

        access.RequireHistory(caller, policy, topic.Name);
        access.RequirePresence(caller, policy, topic.Name);
        access.RequireCall(caller, policy, topic.Name);
        access.RequirePublish(caller, policy, topic.Name, eventName);
        await RecordAsync(AuditAction.MemberChanged, caller, topic, ("user", caller.UserId), ("role", "member"));
        RequireDone(await store.SetMemberAsync(topic, caller.UserId, Role.Member, caller.UserId, mayMakeOwners: false, cancellationToken));
        await LearnAsync(topic, caller.UserId, cancellationToken);
    }

    /// <summary>Makes a topic two users' own, whichever of them comes first. Whoever of them has left is there again when he asks.</summary>
    /// <param name="caller">One of them, who may read such topics.</param>
    /// <param name="topicName">The topic that is theirs.</param>
    /// <param name="other">Untrusted.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task MakeDirectAsync(Caller caller, string topicName, string other, CancellationToken cancellationToken)
    {
        var (topic, policy) = await ParseAsync(caller, topicName, cancellationToken);
        RequireUser(other);
        var isPrivate = memberships.IsPrivate(topic.Tenant, topic.Name);
        var hasLeft = isPrivate && Memberships.RoleOf(caller, topic.Name) is null;
        if (!hasLeft)
        {
            access.RequireSubscribe(caller, policy, topic.Name);
        }

        if (!isPrivate || hasLeft)
        {
            await RecordAsync(AuditAction.GrantChanged, caller, topic, ("privacy", "direct"), ("user", other));
            await store.MakeDirectAsync(topic, caller.UserId, other, cancellationToken);
            await LearnAsync(topic, other, cancellationToken);
            await LearnAsync(topic, caller.UserId, cancellationToken);
        }
    }

    /// <summary>It could be a user.</summary>
    /// <param name="user">Untrusted.</param>
    /// <exception cref="RealtimeException"><c>user_invalid</c>.</exception>
    public static void RequireUser(string? user)
    {
        if (user is not { Length: > 0 and <= MaxUserLength } || user.Contains('\0', StringComparison.Ordinal))
        {
            throw new RealtimeException(ErrorCode.UserInvalid, $"A user is 1 to {MaxUserLength} characters.");
        }
    }

    private static bool MayMakeOwners(Caller caller, TopicName topic) => Memberships.RoleOf(caller, topic) is not { } place || place.Role is Role.Owner;

    private static void RequireDone(MemberChange change)
    {
        if (change is not MemberChange.Done)
        {
            throw change is MemberChange.LastOwner
                ? new RealtimeException(ErrorCode.LastOwner)
                : new RealtimeException(ErrorCode.Forbidden, "What owners are, only owners say.");
        }
    }

    private Task RecordAsync(AuditAction action, Caller caller, TopicKey topic, params ReadOnlySpan<(string Name, string Value)> details) =>
        audit.RecordAsync(action, caller.Tenant, AuditActor.Of(caller), topic.Name.Value, details: details);

    /// <summary>Another node may have made him what he is a moment ago.</summary>
    private async Task<(TopicKey Topic, TopicPolicy Policy)> ParseAsync(Caller caller, string topicName, CancellationToken cancellationToken)
    {
        var name = TopicName.Parse(topicName);
        var (topic, policy) = (new TopicKey(caller.Tenant, name), topics.Get(name));
        await LearnAsync(topic, caller.UserId, cancellationToken);
        return (topic, policy);
    }

    /// <summary>What this node knows of a topic and of a user who is here is what is stored. What cannot be read is as it was: nobody gains by that.</summary>
    private async Task LearnAsync(TopicKey topic, string user, CancellationToken cancellationToken)
    {
        try
        {
            if (memberships.FindPlaces(topic.Tenant, user) is { } places)
            {
                await places.LoadAsync(store, topic.Tenant, user, cancellationToken);
            }

            await memberships.LearnPrivateAsync(topic, () => store.ReadPrivateAsync(topic, cancellationToken));
        }
        catch (RealtimeException)
        {
            // Before a change, what follows says so to who may hear it; after one, the node is told of it when the database is back.
        }
    }
}
