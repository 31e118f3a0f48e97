using System.Text.Json;
using System.Text.Json.Serialization;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Pipeline.Nodes;

/// <summary>What every node is asked about what it has, of one tenant.</summary>
internal sealed record NodeQuestion
{
    public required NodeQuestionKind Kind { get; init; }

    public required string Tenant { get; init; }

    /// <summary>Only what is this user's.</summary>
    public string? User { get; init; }

    /// <summary>Only what is this topic's.</summary>
    public string? Topic { get; init; }

    /// <summary>Only this connection.</summary>
    public Guid? Connection { get; init; }

    /// <summary>Only what stands behind this, in the order of the answer.</summary>
    public string? After { get; init; }

    /// <summary>The most of it.</summary>
    public int Limit { get; init; } = 1;

    /// <summary>With <see cref="NodeQuestionKind.Close"/>: whether the client is to come back.</summary>
    public bool Reconnect { get; init; }
}

/// <summary>What nodes can be asked.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<NodeQuestionKind>))]
internal enum NodeQuestionKind
{
    /// <summary>Which connections there are.</summary>
    Connections,

    /// <summary>Which topics have a subscriber.</summary>
    Topics,

    /// <summary>How many are subscribed to a topic.</summary>
    Occupancy,

    /// <summary>Who is subscribed to a topic.</summary>
    Members,

    /// <summary>Close connections.</summary>
    Close,

    /// <summary>Subscribe connections to a topic.</summary>
    Subscribe,

    /// <summary>End the subscriptions of connections to a topic.</summary>
    Unsubscribe,
}

/// <summary>What a node answers: what its question was about, and nothing else.</summary>
internal sealed record NodeAnswer
{
    public IReadOnlyList<OpenConnection> Connections { get; init; } = [];

    /// <summary>Topics with the number of their subscribers, or users with the number of their connections.</summary>
    public IReadOnlyList<NodeCount> Counts { get; init; } = [];

    /// <summary>How many connections it was done to, or are there.</summary>
    public int Count { get; init; }

    /// <summary>Who they are: eight bytes of each user's hash, by which those who are on several nodes are one.</summary>
    public byte[] Users { get; init; } = [];

    /// <summary>To which connections it was not done, and why.</summary>
    public IReadOnlyList<ConnectionRefusal> Refusals { get; init; } = [];
}

/// <summary>How many of something.</summary>
internal sealed record NodeCount(string Name, int Count);

/// <summary>An open connection.</summary>
/// <param name="Id">Its name.</param>
/// <param name="User">Whose it is.</param>
/// <param name="Transport"><c>hub</c>, <c>sse</c> or <c>poll</c>.</param>
/// <param name="OpenedAt">Since when.</param>
/// <param name="ExpiresAt">When its token ends; null: never.</param>
/// <param name="Topics">What it is subscribed to, at most 1,000, by name.</param>
internal sealed record OpenConnection(Guid Id, string User, string Transport, DateTimeOffset OpenedAt, DateTimeOffset? ExpiresAt, IReadOnlyList<string> Topics);

/// <summary>A connection to which something was not done.</summary>
internal sealed record ConnectionRefusal(Guid Connection, ErrorBody Error);

/// <summary>What nodes say to each other about questions, as JSON. What one does not know it ignores.</summary>
/// <param name="Node">Who says it.</param>
/// <param name="Id">The question's.</param>
/// <param name="Question">What is asked.</param>
/// <param name="Answer">Or what is answered.</param>
/// <param name="V">Of the message's form: nodes of two releases run side by side during an upgrade.</param>
internal sealed record NodeMessage(long Node, Guid Id, NodeQuestion? Question = null, NodeAnswer? Answer = null, int V = NodeMessage.CurrentVersion)
{
    public const int CurrentVersion = 1;

    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, NodeJson.Default.NodeMessage);

    /// <summary>Null: none that this release understands.</summary>
    public static NodeMessage? Read(ReadOnlySpan<byte> message)
    {
        try
        {
            return JsonSerializer.Deserialize(message, NodeJson.Default.NodeMessage) is { V: CurrentVersion } read ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(NodeMessage))]
internal sealed partial class NodeJson : JsonSerializerContext;
