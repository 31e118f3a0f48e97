using System.Collections.Immutable;
using System.Collections.ObjectModel;
using System.Text.RegularExpressions;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>One node of the application's diagram. What is known about it hangs on it as annotations.</summary>
public interface IResource
{
    string Name { get; }

    ResourceAnnotationCollection Annotations { get; }
}

public interface IResourceAnnotation;

public sealed class ResourceAnnotationCollection : Collection<IResourceAnnotation>;

public abstract partial class Resource : IResource
{
    protected Resource(string name)
    {
        if (!ValidName().IsMatch(name) || name.Length > 64)
            throw new ArgumentException($"Resource name '{name}' is invalid: letters, digits and single hyphens, starting with a letter, at most 64.", nameof(name));
        Name = name;
    }

    public virtual string Name { get; }

    public virtual ResourceAnnotationCollection Annotations { get; } = [];

    [GeneratedRegex("^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*$", RegexOptions.None, 1000)]
    private static partial Regex ValidName();
}

public interface IResourceWithEnvironment : IResource;

public interface IResourceWithEndpoints : IResource;

public interface IResourceWithWaitSupport : IResource;

public interface IResourceWithServiceDiscovery : IResourceWithEndpoints;

public interface IResourceWithParent : IResource
{
    IResource Parent { get; }
}

public interface IResourceWithParent<out T> : IResourceWithParent where T : IResource
{
    new T Parent { get; }

    IResource IResourceWithParent.Parent => Parent;
}

public enum WaitBehavior
{
    WaitOnResourceUnavailable,
    StopOnResourceUnavailable,
}

/// <summary>The resource starts when the other one is healthy.</summary>
internal sealed record WaitAnnotation(IResource Resource, WaitBehavior Behavior = WaitBehavior.WaitOnResourceUnavailable) : IResourceAnnotation;

internal sealed record HealthCheckAnnotation(string Key) : IResourceAnnotation;

internal sealed record ResourceRelationshipAnnotation(IResource Resource, string Type) : IResourceAnnotation;

internal sealed record ReplicaAnnotation(int Replicas) : IResourceAnnotation;

/// <summary>Called when the resource is healthy for the first time.</summary>
internal sealed record ReadyAnnotation(Func<CancellationToken, Task> Callback) : IResourceAnnotation;

/// <summary>Adds to what a process finds in its environment: strings or <see cref="IValueProvider"/>s, which are read after all callbacks have run.</summary>
internal sealed record EnvironmentAnnotation(Action<Dictionary<string, object>> Callback) : IResourceAnnotation;

/// <summary>The orchestrator's names of a resource's processes, one for each replica: <c>api-x7qa2mfd</c>.</summary>
internal sealed record DcpInstancesAnnotation(ImmutableArray<DcpInstance> Instances) : IResourceAnnotation;

internal sealed record DcpInstance(string Name, string Suffix);

internal static class ResourceExtensions
{
    /// <summary>The ids under which the resource is known to the dashboard: its processes' names, or its own.</summary>
    public static IReadOnlyList<string> GetResolvedResourceNames(this IResource resource) =>
        resource.Annotations.OfType<DcpInstancesAnnotation>().LastOrDefault() is { } dcp
            ? [.. dcp.Instances.Select(i => i.Name)]
            : [resource.Name];
}
