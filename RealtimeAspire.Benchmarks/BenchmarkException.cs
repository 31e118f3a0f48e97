namespace RealtimeAspire.Benchmarks;

/// <summary>The run cannot go on, for a reason that its message says in a sentence.</summary>
internal sealed class BenchmarkException(string message, Exception? innerException = null) : Exception(message, innerException);
