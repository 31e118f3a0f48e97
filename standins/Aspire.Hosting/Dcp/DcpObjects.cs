namespace Aspire.Hosting.Dcp;

// The part of the orchestrator's object model (group usvc-dev.developer.microsoft.com, version v1) that is used here.

internal sealed record DcpObject<TSpec, TStatus>(string Kind, DcpMetadata Metadata, TSpec Spec, TStatus? Status = default)
{
    public string ApiVersion => DcpClient.ApiVersion;
}

internal sealed record DcpMetadata(string Name, Dictionary<string, string>? Annotations = null);

internal sealed record DcpEnv(string Name, string? Value);

internal sealed record DcpAmbientEnvironment(string Behavior);

internal sealed record ExecutableSpec(
    string ExecutablePath, IReadOnlyList<string> Args, string WorkingDirectory, IReadOnlyList<DcpEnv> Env)
{
    public string ExecutionType => "Process";

    public DcpAmbientEnvironment AmbientEnvironment => new("Inherit");

    public bool Stop { get; init; }
}

internal sealed record ExecutableStatus(
    string? State, int? Pid, int? ExitCode, DateTime? StartupTimestamp, DateTime? FinishTimestamp,
    IReadOnlyList<DcpEnv>? EffectiveEnv, IReadOnlyList<string>? EffectiveArgs);

internal sealed record ServiceSpec(string Protocol, int? Port)
{
    public string AddressAllocationMode => "Localhost";
}

internal sealed record ServiceStatus(string? State, string? EffectiveAddress, int? EffectivePort);

internal sealed record DcpWatchEvent<T>(string Type, T Object);

internal sealed record ServiceProducer(string ServiceName, string Address);
