using System.Text.Json.Nodes;

namespace RealtimeAspire.Tests.Conformance;

/// <summary>An SDK that does what it is told.</summary>
internal interface IAgent : IAsyncDisposable
{
    /// <param name="command">A verb of the scenarios, or <c>look</c>: what clients, subscriptions and publishes have come to.</param>
    /// <param name="members">What belongs to it.</param>
    /// <returns>What came of it.</returns>
    /// <exception cref="AgentException">It failed, with a code.</exception>
    Task<JsonNode?> DoAsync(string command, JsonNode? members);
}

/// <summary>A command failed.</summary>
internal sealed class AgentException(string code, string message) : Exception($"{code}: {message}")
{
    public string Code => code;
}
