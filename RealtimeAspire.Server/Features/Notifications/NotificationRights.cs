using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>
/// Who may do what with notifications, by the grants that there are: to send to a user is to publish on his topic, which backends may whose key grants it; to send to
/// a topic's members needs <c>manage</c> there; <c>manage</c> on <c>system:notifications</c> is for all of a tenant's.
/// </summary>
internal sealed class NotificationRights(TopicAccess access, TopicCatalog topics)
{
    public const string NewEvent = "notification:new";
    public const string ReadEvent = "notification:read";
    public const string RemovedEvent = "notification:removed";

    public static readonly TopicName All = TopicName.Parse("system:notifications");

    public static bool MayManage(Caller caller) => TopicAccess.MayManage(caller, All);

    /// <exception cref="RealtimeException"><c>forbidden</c>.</exception>
    public static void RequireManage(Caller caller) => TopicAccess.RequireManage(caller, All);

    /// <exception cref="RealtimeException"><c>forbidden</c>, <c>event_not_allowed</c>, <c>user_invalid</c>.</exception>
    public void RequireSend(Caller caller, NotificationDraft draft)
    {
        if (MayManage(caller))
        {
            return;
        }

        if (draft.To.Topic is { } topic)
        {
            TopicAccess.RequireManage(caller, TopicName.Parse(topic));
            return;
        }

        foreach (var user in draft.Users ?? throw new RealtimeException(ErrorCode.Forbidden, $"This needs the operation manage on {All}."))
        {
            RequireTell(caller, user);
        }
    }

    /// <exception cref="RealtimeException"><c>forbidden</c>, <c>event_not_allowed</c>, <c>user_invalid</c>.</exception>
    public void RequireTell(Caller caller, string user)
    {
        var inbox = InboxOf(user);
        if (!MayManage(caller))
        {
            access.RequirePublish(caller, topics.Get(inbox), inbox, NewEvent);
        }
    }

    /// <summary>The caller's own inbox, and he may read it.</summary>
    /// <exception cref="RealtimeException"><c>forbidden</c>, <c>user_invalid</c>.</exception>
    public TopicName RequireInbox(Caller caller)
    {
        var inbox = InboxOf(caller.UserId);
        access.RequireSubscribe(caller, topics.Get(inbox), inbox);
        return inbox;
    }

    /// <exception cref="RealtimeException"><c>user_invalid</c>: no topic can have this name.</exception>
    private static TopicName InboxOf(string user) => TopicName.TryParse($"{TopicCatalog.User}:{user}", out var inbox)
        ? inbox
        : throw new RealtimeException(ErrorCode.UserInvalid, "Who has an inbox has a name of 1 to 128 of the characters that a topic identifier may have.");
}
