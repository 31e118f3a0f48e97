using System.Collections.Concurrent;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Connections;

namespace RealtimeAspire.Server.Pipeline.Calls;

/// <summary>Calls that connections of this node have been asked and not answered yet.</summary>
internal sealed class HandedCalls(CallHandlers handlers, TimeProvider time)
{
    // Whoever gave a call up knows it by himself; this is for what his clock and ours do not agree about.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, Handed> _calls = new(StringComparer.Ordinal);

    /// <summary>Asks one of those who handle it.</summary>
    /// <param name="target">What is called.</param>
    /// <param name="call">The call.</param>
    /// <param name="answered">Called once at most; not at all where there is no answer in time.</param>
    /// <returns>False: nobody here handles it.</returns>
    public bool TryHand(CallTarget target, IncomingCall call, Action<CallResult> answered)
    {
        if (!handlers.TryPick(target, out var connection))
        {
            return false;
        }

        var handed = new Handed(connection, answered);
        _calls[call.CallId] = handed;
        handed.Expiry = time.CreateTimer(
            _ => _calls.TryRemove(KeyValuePair.Create(call.CallId, handed)), null, TimeSpan.FromMilliseconds(call.TimeoutMs) + Grace, Timeout.InfiniteTimeSpan);
        connection.Send(call);
        // It may have gone just before.
        if (connection.HasClosed)
        {
            Forsake(call.CallId, handed);
        }

        return true;
    }

    /// <exception cref="RealtimeException"><c>call_unknown</c>: it was answered or given up, or somebody else was asked.</exception>
    public void Answer(Connection connection, string callId, CallResult result)
    {
        if (!_calls.TryGetValue(callId, out var handed) || handed.Connection != connection || !_calls.TryRemove(KeyValuePair.Create(callId, handed)))
        {
            throw new RealtimeException(ErrorCode.CallUnknown);
        }

        handed.Expiry?.Dispose();
        handed.Answered(result);
    }

    /// <summary>A connection is gone, and with it the answers of those it was asked.</summary>
    public void Leave(Connection connection)
    {
        foreach (var (id, handed) in _calls)
        {
            if (handed.Connection == connection)
            {
                Forsake(id, handed);
            }
        }
    }

    private void Forsake(string callId, Handed handed)
    {
        if (_calls.TryRemove(KeyValuePair.Create(callId, handed)))
        {
            handed.Expiry?.Dispose();
            handed.Answered(CallResult.From(ErrorCode.HandlerGone));
        }
    }

    private sealed class Handed(Connection connection, Action<CallResult> answered)
    {
        public Connection Connection => connection;

        public Action<CallResult> Answered => answered;

        public ITimer? Expiry { get; set; }
    }
}
