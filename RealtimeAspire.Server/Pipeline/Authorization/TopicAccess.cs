using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>
/// Decides who may do what on a topic. Synchronous, so that a connection's publishes keep their order: what has to be looked up has
/// been, at the door.
/// <code>
/// 0  topics of the type system               by the token's or key's grants alone
/// 1  what the topic's members may            a role, or being banned; it counts before everything else
/// 2  what the token or service key grants    if it says so at all, nothing else is added
/// 3  what is the user's own                  user:{sub}, to read
/// 4  what is open                            the topic's type, for everybody who is signed in, unless the topic is private
/// 5  what the configuration grants           Realtime:Grants, for everybody who is signed in, unless the topic is private
/// </code>
/// </summary>
internal sealed class TopicAccess(IHostEnvironment environment, EventCatalog events, Memberships memberships, IOptions<RealtimeOptions> options)
{
    private const string AnotherUsers = "This topic is another user's.";

    private static readonly TopicName AllTenants = TopicName.Parse("system:tenants");

    private readonly Grants _toAll = new([.. options.Value.Grants.Select(grant => grant.ToGrant())]);

    /// <exception cref="RealtimeException"><c>forbidden</c>.</exception>
    public void RequireSubscribe(Caller caller, TopicPolicy policy, TopicName topic) => Require(caller, policy, topic, Operations.Subscribe);

    /// <exception cref="RealtimeException"><c>forbidden</c>.</exception>
    public void RequireHistory(Caller caller, TopicPolicy policy, TopicName topic) => Require(caller, policy, topic, Operations.History);

    /// <summary>To see who is there, and how many.</summary>
    /// <exception cref="RealtimeException"><c>forbidden</c>.</exception>
    public void RequirePresence(Caller caller, TopicPolicy policy, TopicName topic) => Require(caller, policy, topic, Operations.Presence);

    /// <exception cref="RealtimeException"><c>forbidden</c>.</exception>
    public void RequireCall(Caller caller, TopicPolicy policy, TopicName topic) => Require(caller, policy, topic, Operations.Call);

    /// <summary>Whoever may read may handle: nobody answers in another user's name.</summary>
    /// <exception cref="RealtimeException"><c>forbidden</c>.</exception>
    public void RequireHandle(Caller caller, TopicPolicy policy, TopicName topic) => Require(caller, policy, topic, Operations.Subscribe);

    /// <summary>Nothing but a role or a grant gives this: no type is open for it.</summary>
    /// <exception cref="RealtimeException"><c>forbidden</c>.</exception>
    public static void RequireManage(Caller caller, TopicName topic)
    {
        if (!MayManage(caller, topic))
        {
            throw new RealtimeException(ErrorCode.Forbidden, $"This needs the operation manage on {topic}.");
        }
    }

    /// <summary>Who looks after the server itself has a grant for it: nobody becomes that by making such a topic his own.</summary>
    public static bool MayManage(Caller caller, TopicName topic) => caller.IsServer
        || (topic.Type != TopicCatalog.System && Memberships.RoleOf(caller, topic) is { } role ? role.Allows(Operations.Manage) : caller.Grants?.Allow(caller.UserId, topic, Operations.Manage) is true);

    public bool MaySeePresence(Caller caller, TopicPolicy policy, TopicName topic) => May(caller, policy, topic, Operations.Presence);

    public bool MaySubscribe(Caller caller, TopicPolicy policy, TopicName topic) => May(caller, policy, topic, Operations.Subscribe);

    public bool MayPublishAs(Caller caller, TopicPolicy policy, TopicName topic, string eventName) =>
        May(caller, policy, topic, Operations.Publish) && MayPublish(caller, policy, topic, eventName);

    public bool MayReadHistory(Caller caller, TopicPolicy policy, TopicName topic) => May(caller, policy, topic, Operations.History);

    /// <exception cref="RealtimeException"><c>forbidden</c>, <c>event_not_allowed</c>.</exception>
    public void RequirePublish(Caller caller, TopicPolicy policy, TopicName topic, string eventName)
    {
        if (caller.IsServer)
        {
            RequireServers(policy);
            return;
        }

        Require(caller, policy, topic, Operations.Publish);
        if (!MayPublish(caller, policy, topic, eventName))
        {
            throw new RealtimeException(ErrorCode.EventNotAllowed);
        }
    }

    /// <summary>
    /// May this identity run the server: tenants, what each may have, and what each has stored? In development everybody; elsewhere
    /// who is of the tenant <c>default</c> and has the grant <c>manage</c> on <c>system:tenants</c>. A role in that topic does not give it.
    /// </summary>
    /// <exception cref="RealtimeException"><c>forbidden</c>.</exception>
    public void RequireManage(Caller caller)
    {
        var isOperator = caller.Tenant == Caller.DefaultTenant && caller.Grants?.Allow(caller.UserId, AllTenants, Operations.Manage) is true;
        if (!caller.IsServer && !environment.IsDevelopment() && !isOperator)
        {
            throw new RealtimeException(ErrorCode.Forbidden, $"This needs the operation manage on {AllTenants}, in the tenant {Caller.DefaultTenant}.");
        }
    }

    private static void RequireServers(TopicPolicy policy)
    {
        if (!policy.Publishers.HasFlag(Publishers.Servers))
        {
            throw new RealtimeException(ErrorCode.EventNotAllowed, "Only clients may publish on topics of this type.");
        }
    }

    private bool MayPublish(Caller caller, TopicPolicy policy, TopicName topic, string eventName)
    {
        // A backend is as good as code of the server, but for what its key leaves out.
        var kind = caller.IsService ? Publishers.Servers : Publishers.Clients;
        if (!policy.Publishers.HasFlag(kind))
        {
            return false;
        }

        var named = Memberships.RoleOf(caller, topic) is not null ? null
            : caller.Grants is { } grants ? grants.AllowEvent(caller.UserId, topic, eventName, memberships.IsPrivate(caller.Tenant, topic))
            : IsOpen(policy) ? (_toAll.AllowEvent(caller.UserId, topic, eventName) is true ? true : null)
            : _toAll.AllowEvent(caller.UserId, topic, eventName);
        return named ?? (caller.IsService || policy.ClientsMayPublish(eventName) || events.IsOpen(policy.Type, eventName));
    }

    private void Require(Caller caller, TopicPolicy policy, TopicName topic, Operations operation)
    {
        if (!May(caller, policy, topic, operation))
        {
            throw new RealtimeException(ErrorCode.Forbidden, policy.Type == TopicCatalog.User && topic.Identifier != caller.UserId ? AnotherUsers : ErrorCode.Forbidden.Sentence);
        }
    }

    private bool May(Caller caller, TopicPolicy policy, TopicName topic, Operations operation)
    {
        if (caller.IsServer)
        {
            return true;
        }

        // What is the server's own is read by who has a grant for it, whatever is open.
        if (topic.Type == TopicCatalog.System)
        {
            return caller.Grants?.Allow(caller.UserId, topic, operation) is true;
        }

        // 1.
        if (Memberships.RoleOf(caller, topic) is { } role)
        {
            return role.Allows(operation);
        }

        // 2.
        var isPrivate = memberships.IsPrivate(caller.Tenant, topic);
        if (caller.Grants is { } grants)
        {
            return grants.Allow(caller.UserId, topic, operation, byName: isPrivate);
        }

        // 3.
        const Operations Reading = Operations.Subscribe | Operations.History;
        if (policy.Type == TopicCatalog.User && (operation & Reading) != Operations.None)
        {
            return topic.Identifier == caller.UserId;
        }

        // 4. and 5.
        return !isPrivate && (IsOpen(policy) || _toAll.Allow(caller.UserId, topic, operation));
    }

    private bool IsOpen(TopicPolicy policy) => policy.Open ?? environment.IsDevelopment();
}
