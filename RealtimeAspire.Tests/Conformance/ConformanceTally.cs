using System.Collections.Concurrent;

namespace RealtimeAspire.Tests.Conformance;

/// <summary>Says at the end of the run how many scenarios each SDK has passed.</summary>
public sealed class ConformanceTally : IDisposable
{
    private readonly ConcurrentDictionary<(string Sdk, string Transport), int> _passed = new();

    public void Passed(string sdk, string transport) => _passed.AddOrUpdate((sdk, transport), 1, static (_, count) => count + 1);

    public void Dispose()
    {
        foreach (var ((sdk, transport), count) in _passed.OrderBy(passed => passed.Key))
        {
            TestContext.Current.SendDiagnosticMessage("Conformance, {0} over {1}: {2} scenarios passed", sdk, transport, count);
        }
    }
}
