using System.Data.Common;
using System.Text.Json;
using RealtimeAspire.Checker.Load;
using RealtimeAspire.Server.Pipeline.Audit;

namespace RealtimeAspire.Checker.Audit;

/// <summary>Reads a trail, judges it chain by chain, and tells what was found.</summary>
internal static class AuditVerification
{
    private const int Shown = 50;

    private static readonly TimeSpan Progress = TimeSpan.FromSeconds(5);

    /// <returns>Whether every chain is whole.</returns>
    /// <exception cref="CannotRunException">A sentence that says why.</exception>
    public static async Task<bool> RunAsync(AuditCommandLine line, TimeProvider time, CancellationToken interrupted)
    {
        try
        {
            var records = line.Postgres is { } postgres
                ? AuditSources.FromPostgresAsync(postgres, line.Tenant, interrupted)
                : AuditSources.FromFileAsync(line.File!, line.Tenant, interrupted);
            await using var export = line.Export is { } path ? new StreamWriter(path) : null;
            var found = await VerifyAsync(records, line, export, time);
            foreach (var finding in found.Take(Shown))
            {
                Console.WriteLine(finding);
            }

            Console.WriteLine(found.Count switch
            {
                0 => "Every chain is whole.",
                > Shown => $"… and {found.Count - Shown} findings more",
                _ => $"{found.Count} findings",
            });
            return found.Count == 0;
        }
        catch (Exception exception) when (exception is DbException or IOException or UnauthorizedAccessException or ArgumentException or OperationCanceledException)
        {
            throw new CannotRunException($"The trail cannot be read: {exception.Message}", exception);
        }
    }

    private static async Task<List<AuditFinding>> VerifyAsync(IAsyncEnumerable<AuditRecord> records, AuditCommandLine line, StreamWriter? export, TimeProvider time)
    {
        var keys = line.Keys.DistinctBy(key => key.Id).ToDictionary(key => key.Id, StringComparer.Ordinal);
        var expected = line.Expected.ToDictionary(row => (row.Tenant, row.Seq));
        var found = new List<AuditFinding>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var (check, tenant, head) = ((ChainCheck?)null, "", (long?)null);
        var told = time.GetTimestamp();
        await foreach (var record in records)
        {
            if (export is not null)
            {
                await export.WriteLineAsync(JsonSerializer.Serialize(record, AuditJson.Default.AuditRecord));
            }

            if (check is null || record.Tenant != tenant)
            {
                Finish();
                tenant = seen.Add(record.Tenant) ? record.Tenant : throw new CannotRunException($"The records of {record.Tenant} are not together.");
                (check, head) = (new ChainCheck(tenant, keys, found.Add), null);
            }

            switch (record)
            {
                case { Checkpoint: { } checkpoint }:
                    check.Add(checkpoint);
                    break;
                case { Row: { } row }:
                    check.Add(row);
                    Meet(row);
                    break;
                default:
                    head = record.Head;
                    break;
            }

            if (time.GetElapsedTime(told) >= Progress)
            {
                Console.WriteLine($"  {tenant}: {check.Rows:N0} rows");
                told = time.GetTimestamp();
            }
        }

        Finish();
        found.AddRange(expected.Values.Select(row => new AuditFinding(AuditFindingKind.CutOff, row.Tenant, row.Seq, "it is known from outside, and is not there")));
        return found;

        void Finish()
        {
            if (check is not null)
            {
                check.End(head);
                Console.WriteLine($"{tenant}: {check.Rows:N0} rows");
            }
        }

        void Meet(AuditRow row)
        {
            if (expected.Remove((row.Tenant, row.Seq), out var known) && known.Hash != Convert.ToHexStringLower(row.Hash))
            {
                found.Add(new AuditFinding(AuditFindingKind.Changed, row.Tenant, row.Seq, "it is another one than is known from outside"));
            }
        }
    }
}
