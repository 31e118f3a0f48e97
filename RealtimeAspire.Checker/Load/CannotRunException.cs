namespace RealtimeAspire.Checker.Load;

/// <summary>There is nothing to give a verdict on: the message is a sentence for the operator.</summary>
internal sealed class CannotRunException(string message, Exception? innerException = null) : Exception(message, innerException);
