using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.ApplicationModel;

public readonly record struct LogLine(int LineNumber, string Content, bool IsErrorMessage);

/// <summary>
/// The console of every resource instance: what its process wrote and what the application model has to say about it.
/// Readers follow the backlog with a cursor of their own, so a slow reader costs nothing but the lines it misses.
/// </summary>
public class ResourceLoggerService : IDisposable
{
    private readonly ConcurrentDictionary<string, LogStream> _streams = new(StringComparer.Ordinal);

    internal TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>A logger that writes to the console of every instance of the resource.</summary>
    public ILogger GetLogger(IResource resource) =>
        new StreamLogger(this, [.. resource.GetResolvedResourceNames().Select(StreamOf)]);

    public ILogger GetLogger(string resourceName) => new StreamLogger(this, [StreamOf(resourceName)]);

    /// <summary>The backlog, then lines as they come, until the stream is completed.</summary>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(string resourceName) => ReadAsync(StreamOf(resourceName), follow: true);

    public IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(string resourceName) => ReadAsync(StreamOf(resourceName), follow: false);

    public void Complete(string name) => StreamOf(name).Complete();

    public void Dispose()
    {
        foreach (var stream in _streams.Values)
            stream.Complete();
        GC.SuppressFinalize(this);
    }

    internal void AddLog(string resourceId, string content, bool isError, DateTime timestamp) =>
        StreamOf(resourceId).Add(content, isError, timestamp);

    private LogStream StreamOf(string id) => _streams.GetOrAdd(id, static _ => new LogStream());

    private static async IAsyncEnumerable<IReadOnlyList<LogLine>> ReadAsync(LogStream stream, bool follow, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var cursor = 0;
        while (true)
        {
            var (lines, more) = stream.ReadAfter(cursor);
            if (lines.Count > 0)
            {
                cursor = lines[^1].LineNumber;
                yield return lines;
            }

            if (!follow || more is null)
                yield break;
            await more.WaitAsync(cancellationToken);
        }
    }

    private sealed class LogStream
    {
        private const int Capacity = 10_000;

        // Lines are dropped this many at a time: a list that drops its first item for each new one copies itself each time.
        private const int Slack = 1_000;

        private readonly Lock _lock = new();
        private readonly List<LogLine> _lines = [];
        private int _lastNumber;
        private bool _completed;
        private TaskCompletionSource _more = NewSignal();

        public void Add(string content, bool isError, DateTime timestamp)
        {
            var stamp = timestamp.ToUniversalTime().ToString("yyyy-MM-ddTHH:mm:ss.fffffffK", CultureInfo.InvariantCulture);
            lock (_lock)
            {
                if (_completed)
                    return;
                _lines.Add(new LogLine(++_lastNumber, $"{stamp} {content}", isError));
                if (_lines.Count >= Capacity + Slack)
                    _lines.RemoveRange(0, Slack);
                Wake_NeedsLock();
            }
        }

        /// <summary>The lines after a number, and what completes when there are more; null if there never will be.</summary>
        public (IReadOnlyList<LogLine> Lines, Task? More) ReadAfter(int number)
        {
            lock (_lock)
            {
                var count = Math.Min(_lastNumber - number, Math.Min(_lines.Count, Capacity));
                return (_lines.GetRange(_lines.Count - count, count), _completed ? null : _more.Task);
            }
        }

        public void Complete()
        {
            lock (_lock)
            {
                _completed = true;
                Wake_NeedsLock();
            }
        }

        private void Wake_NeedsLock()
        {
            _more.TrySetResult();
            _more = NewSignal();
        }

        private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private sealed class StreamLogger(ResourceLoggerService service, LogStream[] streams) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var text = formatter(state, exception) + (exception is null ? "" : $"\n{exception}");
            foreach (var stream in streams)
                stream.Add(text, logLevel >= LogLevel.Error, service.Time.GetUtcNow().UtcDateTime);
        }
    }
}
