using System.Collections.Concurrent;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>
/// Ephemeral events of which only the newest matters: who sends them faster than they are worth is not refused; of those within one pace
/// the last is passed on, when the pace is over.
/// </summary>
internal sealed class EphemeralPace(TimeProvider time)
{
    private readonly ConcurrentDictionary<(object Sender, TopicKey Topic, string Event), Lane> _lanes = new();

    /// <summary>Passes on now, or later, or, if another one comes before that, never.</summary>
    /// <param name="sender">A connection, or a user who has none.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="eventName">The event name.</param>
    /// <param name="pace">From one to the next.</param>
    /// <param name="pass">Must not wait.</param>
    public void Pass(object sender, TopicKey topic, string eventName, TimeSpan pace, Action pass)
    {
        var key = (sender, topic, eventName);
        while (!_lanes.GetOrAdd(key, static (key, lanes) => new Lane(() => lanes._lanes.TryRemove(key, out _), lanes.Time), this).TryPass(pace, pass))
        {
            // It is about to go.
            Thread.Yield();
        }
    }

    private TimeProvider Time => time;

    /// <summary>One sender's events of one name on one topic, for as long as they come.</summary>
    private sealed class Lane(Action leave, TimeProvider time)
    {
        private readonly Lock _lock = new();

        // Under the lock.
        private Action? _waiting;
        private ITimer? _timer;
        private bool _isGone;

        /// <summary>False: take another.</summary>
        public bool TryPass(TimeSpan pace, Action pass)
        {
            lock (_lock)
            {
                if (_isGone)
                {
                    return false;
                }

                if (_timer is not null)
                {
                    _waiting = pass;
                    return true;
                }

                _timer = time.CreateTimer(_ => Next(pace), null, pace, Timeout.InfiniteTimeSpan);
            }

            pass();
            return true;
        }

        private void Next(TimeSpan pace)
        {
            Action? pass;
            lock (_lock)
            {
                (pass, _waiting) = (_waiting, null);
                _isGone = pass is null;
                if (_isGone)
                {
                    _timer?.Dispose();
                }
                else
                {
                    _timer?.Change(pace, Timeout.InfiniteTimeSpan);
                }
            }

            if (pass is null)
            {
                leave();
            }
            else
            {
                pass();
            }
        }
    }
}
