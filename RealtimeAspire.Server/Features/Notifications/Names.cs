namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>How things are called on the wire and in the database.</summary>
internal static class Names
{
    public static string Of(NotificationPriority priority) => priority switch
    {
        NotificationPriority.Low => "low",
        NotificationPriority.High => "high",
        NotificationPriority.Urgent => "urgent",
        _ => "normal",
    };

    public static NotificationPriority ToPriority(string name) => name switch
    {
        "low" => NotificationPriority.Low,
        "high" => NotificationPriority.High,
        "urgent" => NotificationPriority.Urgent,
        _ => NotificationPriority.Normal,
    };

    public static string Of(Channel channel) => channel is Channel.Push ? "push" : "email";

    public static Channel ToChannel(string name) => name == "push" ? Channel.Push : Channel.Email;
}
