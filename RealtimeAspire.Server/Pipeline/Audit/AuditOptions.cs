using System.ComponentModel.DataAnnotations;
using System.Text;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace RealtimeAspire.Server.Pipeline.Audit;

/// <summary>The section <c>Realtime:Audit</c>.</summary>
internal sealed class AuditOptions
{
    public const int MinKeyBytes = 32;

    public static readonly TimeSpan MinRetention = TimeSpan.FromDays(1);
    public static readonly TimeSpan MaxRetention = TimeSpan.FromDays(36_500);

    /// <summary>
    /// The key that chains rows and signs checkpoints, 32 bytes or more as UTF-8; the same on every node, and nowhere in the database.
    /// Required where there is Postgres; in development it is derived from <c>Realtime:Auth:SigningKey</c> where it is missing.
    /// </summary>
    public string Key { get; set; } = "";

    /// <summary>How long rows are kept, 1 day or more. They go by whole months: some stay up to a month longer. Default: 365 days.</summary>
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(365);

    /// <summary>How many entries of this node may wait while Postgres is away. Default: 10,000.</summary>
    [Range(100, 1_000_000)]
    public int WaitingEntries { get; set; } = 10_000;

    public IEnumerable<string> Check(string key)
    {
        if (Key is { Length: > 0 } && Encoding.UTF8.GetByteCount(Key) is var bytes && bytes < MinKeyBytes)
        {
            yield return $"{key}:Key: a key of {MinKeyBytes} bytes or more is required, this one has {bytes}.";
        }

        if (Retention < MinRetention || Retention > MaxRetention)
        {
            yield return $"{key}:Retention: must be between {MinRetention:c} and {MaxRetention:c}.";
        }
    }
}

/// <summary>Outside development nothing secret is derived: who can sign tokens must not be able to rewrite what is on record.</summary>
internal sealed class AuditRequirements(bool hasPostgres, IHostEnvironment environment) : IValidateOptions<RealtimeOptions>
{
    public ValidateOptionsResult Validate(string? name, RealtimeOptions options)
    {
        var isMissing = hasPostgres && !environment.IsDevelopment() && string.IsNullOrEmpty(options.Audit.Key);
        return isMissing
            ? ValidateOptionsResult.Fail(
                $"{RealtimeOptions.Section}:Audit:Key: a key of {AuditOptions.MinKeyBytes} bytes or more is required outside development, none is configured; it chains the audit trail, and has to be kept outside the database.")
            : ValidateOptionsResult.Success;
    }
}
