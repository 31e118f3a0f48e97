namespace RealtimeAspire.Server.Pipeline.Backplane;

/// <summary>Tells this node's messages from those of others; made anew by every start.</summary>
internal sealed record NodeId(long Value)
{
    public static NodeId New() => new(Random.Shared.NextInt64());
}
