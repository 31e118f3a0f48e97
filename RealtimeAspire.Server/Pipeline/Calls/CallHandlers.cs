using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Calls;

/// <summary>Which connections of this node handle what, both ways.</summary>
internal sealed class CallHandlers(IOptions<RealtimeOptions> options)
{
    private readonly int _most = options.Value.Limits.SubscriptionsPerConnection;
    private readonly Lock _lock = new();

    // Under the lock.
    private readonly Dictionary<CallTarget, Line> _lines = [];
    private readonly Dictionary<Connection, HashSet<CallTarget>> _targets = [];

    /// <summary>Whether anybody here handles it.</summary>
    public bool Has(CallTarget target)
    {
        lock (_lock)
        {
            return _lines.ContainsKey(target);
        }
    }

    /// <summary>Registers a handler; one that is registered stays so.</summary>
    /// <exception cref="RealtimeException"><c>too_many_subscriptions</c>.</exception>
    public void Add(CallTarget target, Connection connection)
    {
        lock (_lock)
        {
            if (!_targets.TryGetValue(connection, out var targets))
            {
                _targets[connection] = targets = [];
            }

            if (targets.Contains(target))
            {
                return;
            }

            if (targets.Count >= _most)
            {
                throw new RealtimeException(ErrorCode.TooManySubscriptions, "This connection handles as many methods as it may.");
            }

            targets.Add(target);
            if (!_lines.TryGetValue(target, out var line))
            {
                _lines[target] = line = new Line();
            }

            line.Connections.Add(connection);
        }
    }

    public void Remove(CallTarget target, Connection connection)
    {
        lock (_lock)
        {
            if (_targets.TryGetValue(connection, out var targets) && targets.Remove(target))
            {
                RemoveFromLine_NeedsLock(target, connection);
                if (targets.Count == 0)
                {
                    _targets.Remove(connection);
                }
            }
        }
    }

    /// <summary>What a connection handles.</summary>
    public IReadOnlyCollection<CallTarget> TargetsOf(Connection connection)
    {
        lock (_lock)
        {
            return _targets.TryGetValue(connection, out var targets) ? [.. targets] : [];
        }
    }

    /// <summary>What is handled on a topic, and by whom.</summary>
    public IReadOnlyCollection<(CallTarget Target, Connection Connection)> Of(TopicKey topic)
    {
        lock (_lock)
        {
            return [.. _lines.Where(line => line.Key.Topic == topic).SelectMany(line => line.Value.Connections.Select(connection => (line.Key, connection)))];
        }
    }

    /// <summary>A connection is gone.</summary>
    /// <returns>What it has handled.</returns>
    public IReadOnlyCollection<CallTarget> RemoveAll(Connection connection)
    {
        lock (_lock)
        {
            if (!_targets.Remove(connection, out var targets))
            {
                return [];
            }

            foreach (var target in targets)
            {
                RemoveFromLine_NeedsLock(target, connection);
            }

            return targets;
        }
    }

    /// <summary>One of those who handle it, in turn.</summary>
    public bool TryPick(CallTarget target, [NotNullWhen(true)] out Connection? connection)
    {
        lock (_lock)
        {
            connection = _lines.TryGetValue(target, out var line) ? line.TakeTurn() : null;
            return connection is not null;
        }
    }

    private void RemoveFromLine_NeedsLock(CallTarget target, Connection connection)
    {
        var line = _lines[target];
        line.Connections.Remove(connection);
        if (line.Connections.Count == 0)
        {
            _lines.Remove(target);
        }
    }

    private sealed class Line
    {
        private int _turn;

        public List<Connection> Connections { get; } = [];

        public Connection TakeTurn() => Connections[_turn = (_turn + 1) % Connections.Count];
    }
}
