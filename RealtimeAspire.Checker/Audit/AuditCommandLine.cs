using System.Globalization;
using RealtimeAspire.Server.Pipeline.Audit;

namespace RealtimeAspire.Checker.Audit;

/// <summary>A row that is known from outside, from a node's log or an earlier export.</summary>
internal sealed record ExpectedRow(string Tenant, long Seq, string Hash);

/// <summary>What the operator wants verified.</summary>
internal sealed record AuditCommandLine
{
    public const string Verb = "audit";
    public const string KeyVariable = "REALTIME_AUDIT_KEY";
    public const string SigningKeyVariable = "REALTIME_SIGNING_KEY";

    public const string Help = $"""
        Verifies the audit trail: finds every row that was changed, removed, moved or cut off, and every forged checkpoint.

        dotnet run --project RealtimeAspire.Checker -- audit --postgres "<connection string>" [options]
        dotnet run --project RealtimeAspire.Checker -- audit --file export.jsonl [options]

          --key …                Realtime:Audit:Key; again for each older one. Better in {KeyVariable}, one a line
          --signing-key …        Realtime:Auth:SigningKey, where a node in development has no other; better in {SigningKeyVariable}
          --tenant acme          this one's chain alone
          --export file.jsonl    writes what was read, one JSON object a line; --file verifies such a file
          --expect acme:17:af03… a row that is known from outside, as nodes log it with each checkpoint; may be given again

        It ends with 0 when every chain is whole, 1 when something was found, 2 when it could not run.
        """;

    public string? Postgres { get; init; }

    public string? File { get; init; }

    public string? Tenant { get; init; }

    public string? Export { get; init; }

    public IReadOnlyList<AuditKey> Keys { get; init; } = [];

    public IReadOnlyList<ExpectedRow> Expected { get; init; } = [];

    /// <exception cref="FormatException">A sentence that says what is wrong.</exception>
    public static AuditCommandLine Parse(string[] args)
    {
        var line = new AuditCommandLine { Keys = [.. FromEnvironment()] };
        for (var i = 0; i < args.Length; i += 2)
        {
            line = line.With(args[i], i + 1 < args.Length ? args[i + 1] : throw new FormatException($"{args[i]} needs a value."));
        }

        if (line.Postgres is null == line.File is null)
        {
            throw new FormatException("Give either --postgres or --file; audit --help tells the rest.");
        }

        return line.Keys.Count > 0 ? line : throw new FormatException($"Give the key: --key, or better {KeyVariable}; audit --help tells the rest.");
    }

    private AuditCommandLine With(string name, string value) => name switch
    {
        "--postgres" => this with { Postgres = value },
        "--file" => this with { File = value },
        "--tenant" => this with { Tenant = value },
        "--export" => this with { Export = value },
        "--key" => this with { Keys = [.. Keys, AuditKey.From(value)] },
        "--signing-key" => this with { Keys = [.. Keys, AuditKey.Derive(value)] },
        "--expect" => this with { Expected = [.. Expected, ToExpected(value)] },
        _ => throw new FormatException($"There is no option {name}; audit --help lists them."),
    };

    private static IEnumerable<AuditKey> FromEnvironment()
    {
        var keys = Environment.GetEnvironmentVariable(KeyVariable) ?? "";
        foreach (var key in keys.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            yield return AuditKey.From(key);
        }

        if (Environment.GetEnvironmentVariable(SigningKeyVariable) is { Length: > 0 } signing)
        {
            yield return AuditKey.Derive(signing);
        }
    }

    private static ExpectedRow ToExpected(string value) =>
        value.Split(':') is [{ Length: > 0 } tenant, var seq, { Length: 64 } hash] && long.TryParse(seq, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? new ExpectedRow(tenant, number, hash.ToLowerInvariant())
            : throw new FormatException($"--expect is '{value}', not tenant:number:hash as nodes log it.");
}
