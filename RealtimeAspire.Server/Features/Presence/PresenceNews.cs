using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealtimeAspire.Server.Features.Presence;

/// <summary>What a node says of its section of a topic on the topic's channel.</summary>
/// <param name="Node">Who says it.</param>
/// <param name="Delta">What has changed.</param>
/// <param name="V">Of the message's form: nodes of two releases run side by side during an upgrade.</param>
internal sealed record PresenceNews(long Node, PresenceDelta Delta, int V = PresenceNews.CurrentVersion)
{
    public const int CurrentVersion = 1;

    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, PresenceJson.Default.PresenceNews);

    /// <summary>Null: none that this release understands; the section is read when its version shows that something was missed.</summary>
    public static PresenceNews? Read(ReadOnlySpan<byte> message)
    {
        try
        {
            return JsonSerializer.Deserialize(message, PresenceJson.Default.PresenceNews) is { V: CurrentVersion, Delta.Changes: not null } read ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>What nodes say of users.</summary>
/// <param name="Tenant">Of which tenant.</param>
/// <param name="User">Who.</param>
/// <param name="Choice">What he has chosen.</param>
/// <param name="V">Of the message's form.</param>
internal sealed record UserNews(string Tenant, string User, UserChoice Choice, int V = PresenceNews.CurrentVersion)
{
    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, PresenceJson.Default.UserNews);

    public static UserNews? Read(ReadOnlySpan<byte> message)
    {
        try
        {
            return JsonSerializer.Deserialize(message, PresenceJson.Default.UserNews) is { V: PresenceNews.CurrentVersion, Choice: not null } read ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PresenceNews))]
[JsonSerializable(typeof(PresenceEntry))]
[JsonSerializable(typeof(UserNews))]
internal sealed partial class PresenceJson : JsonSerializerContext;
