namespace RealtimeAspire.Protocol;

/// <summary>A request was refused or failed, with a stable code.</summary>
public sealed class RealtimeException : Exception
{
    /// <summary>An error with the sentence of its code.</summary>
    /// <param name="error">The code's entry.</param>
    public RealtimeException(ErrorCode error)
        : this(error, error.Sentence)
    {
    }

    /// <summary>An error with a sentence of its own.</summary>
    /// <param name="error">The code's entry.</param>
    /// <param name="message">What went wrong, for people; holds no payload and no token.</param>
    /// <param name="innerException">What caused it.</param>
    public RealtimeException(ErrorCode error, string message, Exception? innerException = null)
        : base(message, innerException) => Error = error;

    /// <summary>The entry of the code.</summary>
    public ErrorCode Error { get; }

    /// <summary>The stable code, for example <c>id_conflict</c>.</summary>
    public string Code => Error.Code;

    /// <summary>After which time the server asks to try again, where it does.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The error as it stands inside a reply.</summary>
    public ErrorBody ToBody() => new(Code, Message, Error.Retryable, RetryAfter is { } wait ? (int)Math.Ceiling(wait.TotalMilliseconds) : null);
}
