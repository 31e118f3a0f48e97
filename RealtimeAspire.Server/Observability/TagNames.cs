namespace RealtimeAspire.Server.Observability;

/// <summary>The names of tags on metrics and spans.</summary>
internal static class TagNames
{
    public const string Tenant = "realtime.tenant";
    public const string TopicType = "realtime.topic.type";
    public const string Topic = "realtime.topic";
    public const string Event = "realtime.event";
    public const string Offset = "realtime.offset";
    public const string Transport = "realtime.transport";
    public const string Subscribers = "realtime.subscribers";
    public const string BatchSize = "realtime.batch.size";
    public const string Recovery = "realtime.recovery";
    public const string Method = "realtime.method";
    public const string Outcome = "realtime.outcome";
    public const string ErrorCode = "realtime.error.code";
    public const string Hook = "realtime.hook";
    public const string Limit = "realtime.limit";
    public const string AuditAction = "realtime.audit.action";
    public const string SignalKind = "realtime.signal.kind";
    public const string SignalAction = "realtime.signal.action";
    public const string Region = "realtime.region";
    public const string NotificationKind = "realtime.notification.kind";
    public const string NotificationChannel = "realtime.notification.channel";

    public const string DbSystem = "db.system";
    public const string DbSystemName = "db.system.name";
    public const string DbOperation = "db.operation.name";
}
