using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace RealtimeAspire.Tests.Fuzzing;

/// <summary>Keeps the first of what a node logs as an error or worse.</summary>
internal sealed class ErrorLog : ILoggerProvider, ILogger
{
    public ConcurrentQueue<string> Entries { get; } = new();

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel) && Entries.Count < 20)
        {
            Entries.Enqueue($"{eventId.Id}: {formatter(state, exception)} {exception}");
        }
    }

    public void Dispose()
    {
    }
}
