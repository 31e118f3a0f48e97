namespace RealtimeAspire.Tests.Server.WebSockets;

/// <summary>Its reader takes nothing until it is released.</summary>
internal sealed class StuckStream : MemoryStream
{
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public List<byte[]> Writes { get; } = [];

    public void Release() => _released.TrySetResult();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Writes.Add(buffer.ToArray());
        await _released.Task.WaitAsync(cancellationToken);
    }
}
