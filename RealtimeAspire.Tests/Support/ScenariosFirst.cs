using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(RealtimeAspire.Tests.Support.ScenariosFirst))]

namespace RealtimeAspire.Tests.Support;

/// <summary>
/// The scenarios that share a topology run one after the other and take the longest: they begin first, and the rest runs beside them.
/// </summary>
internal sealed class ScenariosFirst : ITestCollectionOrderer
{
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderByDescending(collection => collection.TestCollectionDisplayName == SharedTopology.Name)];
}
