using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>Implemented by the generated types <c>Projects.*</c>.</summary>
public interface IProjectMetadata : IResourceAnnotation
{
    string ProjectPath { get; }
}

public static class ProjectResourceBuilderExtensions
{
    public static IResourceBuilder<ProjectResource> AddProject<TProject>(this IDistributedApplicationBuilder builder, string name)
        where TProject : IProjectMetadata, new()
    {
        var project = builder.AddResource(new ProjectResource(name)).WithAnnotation<IProjectMetadata>(new TProject());

        // Both hold in the real package too: telemetry goes to the dashboard, and Kestrel listens where the orchestrator says.
        return project.WithEnvironment(variables =>
        {
            variables["OTEL_SERVICE_NAME"] = name;
            variables["OTEL_BLRP_SCHEDULE_DELAY"] = "1000";
            variables["OTEL_BSP_SCHEDULE_DELAY"] = "1000";
            variables["OTEL_METRIC_EXPORT_INTERVAL"] = "1000";
            variables["OTEL_TRACES_SAMPLER"] = "always_on";
            variables["DOTNET_SYSTEM_CONSOLE_ALLOW_ANSI_COLOR_REDIRECTION"] = "true";
            variables["LOGGING__CONSOLE__FORMATTERNAME"] = "simple";
            var urls = project.Resource.Annotations.OfType<EndpointAnnotation>().Where(e => e.UriScheme is "http" or "https")
                .Select(e => $"{e.UriScheme}://localhost:{Dcp.Orchestrator.PortTemplate(project.Resource, e)}");
            if (string.Join(';', urls) is { Length: > 0 } listen)
                variables["ASPNETCORE_URLS"] = listen;
        });
    }

    public static IResourceBuilder<ProjectResource> WithReplicas(this IResourceBuilder<ProjectResource> builder, int replicas) =>
        builder.WithAnnotation(new ReplicaAnnotation(replicas));
}
