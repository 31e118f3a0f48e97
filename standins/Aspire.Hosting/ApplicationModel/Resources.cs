namespace Aspire.Hosting.ApplicationModel;

/// <summary>A .NET project, started from its build output.</summary>
public class ProjectResource(string name) : Resource(name), IResourceWithEnvironment, IResourceWithServiceDiscovery, IResourceWithWaitSupport;

/// <summary>
/// Something that the real package runs from an image. Here it is a process, which the integration
/// describes by a <see cref="ProcessAnnotation"/>.
/// </summary>
public class ContainerResource(string name) : Resource(name), IResourceWithEnvironment, IResourceWithEndpoints, IResourceWithWaitSupport;

/// <summary>How to run a container's program without a container engine.</summary>
/// <param name="Prepare">Finds the program and prepares its data folder; called before each start.</param>
internal sealed record ProcessAnnotation(Func<ProcessContext, CancellationToken, Task<ProcessSpec>> Prepare) : IResourceAnnotation;

/// <param name="Port">The loopback port that the program has to listen on.</param>
/// <param name="Volume">The folder that outlives the run, or null: then use <paramref name="Scratch"/>.</param>
/// <param name="Scratch">A folder that is removed with the run.</param>
internal sealed record ProcessContext(int Port, string? Volume, string Scratch, Microsoft.Extensions.Logging.ILogger Logger);

internal sealed record ProcessSpec(string Path, IReadOnlyList<string> Args, string WorkingDirectory, string Source);

/// <summary>A named volume: here a folder of the same name.</summary>
internal sealed record VolumeAnnotation(string Name) : IResourceAnnotation;

public abstract class ParameterDefault
{
    public abstract string GetDefaultValue();
}

/// <summary>A random value of letters and digits, and of punctuation unless <see cref="Special"/> is off.</summary>
public sealed class GenerateParameterDefault : ParameterDefault
{
    public int MinLength { get; set; } = 22;

    public bool Special { get; set; } = true;

    public override string GetDefaultValue() => System.Security.Cryptography.RandomNumberGenerator.GetString(
        "abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ0123456789" + (Special ? "-_.{}~()*+!" : ""), MinLength);
}

public class ParameterResource : Resource, IValueProvider
{
    private readonly Lazy<string> _value;

    internal ParameterResource(string name, Func<string> value, bool secret) : base(name) => (_value, Secret) = (new(value), secret);

    public bool Secret { get; }

    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) => new(_value.Value);
}

public interface IResourceWithConnectionString : IResource, IValueProvider
{
    ReferenceExpression ConnectionStringExpression { get; }

    ValueTask<string?> GetConnectionStringAsync(CancellationToken cancellationToken = default) =>
        ConnectionStringExpression.GetValueAsync(cancellationToken);

    ValueTask<string?> IValueProvider.GetValueAsync(CancellationToken cancellationToken) => GetConnectionStringAsync(cancellationToken);
}
