using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Support;

/// <summary><c>clients/signing/vectors.json</c>: what each client makes of the same events.</summary>
internal static class SigningVectors
{
    public static JsonNode All { get; } = JsonNode.Parse(File.ReadAllText(Repository.PathOf("clients/signing/vectors.json")))!;

    /// <summary>A signer with a key of its own.</summary>
    public static EventSigner NewSigner(string tenant = "default", TimeProvider? time = null) => new(ECDsa.Create(ECCurve.NamedCurves.nistP256), tenant, time);

    /// <summary>A publish that the signer has signed.</summary>
    public static PublishRequest Sign(EventSigner signer, string topic, string payload = "1", string? id = null, string name = "app:x")
    {
        var request = new PublishRequest { Event = name, Payload = JsonElement.Parse(payload), Id = id ?? $"{Guid.NewGuid():n}" };
        return request with { Signature = signer.Sign(request, topic) };
    }
}
