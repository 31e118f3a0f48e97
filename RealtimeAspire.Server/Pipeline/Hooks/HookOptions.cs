using System.ComponentModel.DataAnnotations;

namespace RealtimeAspire.Server.Pipeline.Hooks;

/// <summary>The section <c>Realtime:Hooks</c>: what a backend is asked before it is done.</summary>
internal sealed class HookOptions
{
    public const int MinSecretBytes = 32;

    /// <summary>The key that signs what the backend is asked (HMAC-SHA256), 32 bytes or more as UTF-8. Required with a hook; the same on every node.</summary>
    public string Secret { get; set; } = "";

    /// <summary>A second key to sign with, while the backend changes from one to the other. Default: none.</summary>
    public string? OtherSecret { get; set; }

    /// <summary>Before somebody comes in.</summary>
    public HookPointOptions Connect { get; set; } = new() { CacheSeconds = 30 };

    /// <summary>Before somebody reads a topic.</summary>
    public HookPointOptions Subscribe { get; set; } = new() { CacheSeconds = 10 };

    /// <summary>Before an event is published.</summary>
    public HookPointOptions Publish { get; set; } = new();

    public IEnumerable<(string Name, HookPointOptions Options)> Points => [(nameof(Connect), Connect), (nameof(Subscribe), Subscribe), (nameof(Publish), Publish)];
}

/// <summary>One of the hooks.</summary>
internal sealed class HookPointOptions
{
    /// <summary>Where it is asked, an https address; in development also http on loopback. Default: none, nobody is asked.</summary>
    public string? Url { get; set; }

    /// <summary>For which topics, patterns as in grants. Not for connect. Default: all.</summary>
    [MaxLength(100)]
    public string[]? Topics { get; set; }

    /// <summary>For which events: names, or beginnings with a last <c>*</c>. For publish only. Default: all.</summary>
    [MaxLength(100)]
    public string[]? Events { get; set; }

    /// <summary>How long an answer is waited for, in milliseconds. Default: 1,000.</summary>
    [Range(50, 10_000)]
    public int TimeoutMs { get; set; } = 1_000;

    /// <summary>What happens without an answer. Default: <c>Deny</c>.</summary>
    public HookFailurePolicy OnFailure { get; set; }

    /// <summary>How long an answer counts for the same token, or the same user and topic, in seconds; 0: for one time. Not for publish. Default: 30 for connect, 10 for subscribe.</summary>
    [Range(0, 3_600)]
    public int CacheSeconds { get; set; }

    /// <summary>How long it is not asked at all after half of 10 questions or more within 10 s have failed, in seconds. Default: 5.</summary>
    [Range(1, 300)]
    public int BreakSeconds { get; set; } = 5;
}

/// <summary>What happens when a hook has not answered, or with something that is no answer.</summary>
internal enum HookFailurePolicy
{
    /// <summary>It is refused with <c>hook_unavailable</c>, to be tried again.</summary>
    Deny,

    /// <summary>It is done as if there were no hook.</summary>
    Allow,
}
