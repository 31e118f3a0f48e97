using System.Text;

namespace RealtimeAspire.Checker.Load;

/// <summary>One server-sent event; without a name it is a topic's.</summary>
internal sealed record Frame(string? Name, string? Id, string Data);

/// <summary>Reads server-sent events.</summary>
internal sealed class FrameReader(StreamReader reader, TimeProvider time)
{
    // Every 15 s there is a heartbeat.
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(30);

    /// <summary>The next one that is complete; null at the end.</summary>
    /// <exception cref="TimeoutException">Not even a heartbeat has come.</exception>
    public async Task<Frame?> NextAsync(CancellationToken cancellationToken)
    {
        var (name, id, data) = (default(string), default(string), default(StringBuilder));
        while (await reader.ReadLineAsync(cancellationToken).AsTask().WaitAsync(Silence, time, cancellationToken) is { } line)
        {
            if (line.Length == 0)
            {
                if (data is not null)
                {
                    return new Frame(name, id, data.ToString());
                }

                (name, id) = (null, null);
                continue;
            }

            var colon = line.IndexOf(':', StringComparison.Ordinal);
            var value = colon < 0 ? "" : line[(colon + 1)..];
            value = value.StartsWith(' ') ? value[1..] : value;
            switch (colon < 0 ? line : line[..colon])
            {
                case "event":
                    name = value;
                    break;
                case "id":
                    id = value;
                    break;
                case "data":
                    data = data is null ? new StringBuilder(value) : data.Append('\n').Append(value);
                    break;
            }
        }

        return null;
    }
}
