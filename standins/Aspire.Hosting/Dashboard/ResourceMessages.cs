using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard.Proto;
using Google.Protobuf.WellKnownTypes;
using Health = Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus;
using Resource = Aspire.Hosting.Dashboard.Proto.Resource;

namespace Aspire.Hosting.Dashboard;

/// <summary>A resource's state in the dashboard's words.</summary>
internal static class ResourceMessages
{
    public static Resource ToMessage(this ResourceEvent resourceEvent)
    {
        var (id, snapshot) = (resourceEvent.ResourceId, resourceEvent.Snapshot);
        var message = new Resource
        {
            Name = id,
            Uid = id,
            DisplayName = resourceEvent.Resource.Name,
            ResourceType = snapshot.ResourceType,
            State = snapshot.State?.Text ?? "",
            StateStyle = snapshot.State?.Style ?? "",
            CreatedAt = ToTimestamp(snapshot.CreationTimeStamp ?? DateTime.UnixEpoch),
            StartedAt = ToTimestamp(snapshot.StartTimeStamp),
            StoppedAt = ToTimestamp(snapshot.StopTimeStamp),
        };
        message.Properties.AddRange(Properties(resourceEvent));
        // The dashboard itself masks the values of all variables until asked.
        message.Environment.AddRange(snapshot.EnvironmentVariables.Select(e =>
            new EnvironmentVariable { Name = e.Name, Value = e.Value ?? "", IsFromSpec = e.IsFromSpec }));
        message.Urls.AddRange(snapshot.Urls.Select(u => new Url
        {
            EndpointName = u.Name ?? "",
            FullUrl = u.Url,
            IsInternal = u.IsInternal,
            // Without these the dashboard drops the whole resource.
            DisplayProperties = new UrlDisplayProperties(),
        }));
        if (resourceEvent.Resource is IResourceWithParent child)
            message.Relationships.Add(new ResourceRelationship { ResourceName = child.Parent.Name, Type = "Parent" });
        message.Relationships.AddRange(resourceEvent.Resource.Annotations.OfType<ResourceRelationshipAnnotation>().Select(r => new ResourceRelationship { ResourceName = r.Resource.Name, Type = r.Type }));
        message.HealthReports.AddRange(snapshot.HealthReports.Select(ToMessage));
        message.Commands.AddRange(resourceEvent.Resource.Annotations.OfType<ResourceCommandAnnotation>().Select(c => new ResourceCommand
        {
            Name = c.Name,
            DisplayName = c.DisplayName,
            IconName = c.IconName,
            IconVariant = IconVariant.Filled,
            IsHighlighted = c.IsHighlighted,
            State = c.IsEnabled(snapshot.State?.Text) ? ResourceCommandState.Enabled : ResourceCommandState.Disabled,
        }));
        return message;
    }

    private static IEnumerable<ResourceProperty> Properties(ResourceEvent resourceEvent)
    {
        var (id, resource, snapshot) = (resourceEvent.ResourceId, resourceEvent.Resource, resourceEvent.Snapshot);
        yield return Property("resource.uid", id);
        yield return Property("resource.name", id);
        yield return Property("resource.type", snapshot.ResourceType);
        yield return Property("resource.displayName", resource.Name);
        yield return Property("resource.state", snapshot.State?.Text);
        yield return Property("resource.exitCode", snapshot.ExitCode?.ToString(CultureInfo.InvariantCulture));
        yield return Property("resource.createTime", snapshot.CreationTimeStamp?.ToString("O"));
        yield return Property("resource.startTime", snapshot.StartTimeStamp?.ToString("O"));
        yield return Property("resource.stopTime", snapshot.StopTimeStamp?.ToString("O"));
        yield return Property("resource.healthState", snapshot.HealthStatus?.ToString());
        // The dashboard nests a child below the instance with this id.
        if (resource is IResourceWithParent child)
            yield return Property("resource.parentName", child.Parent.GetResolvedResourceNames()[0]);
        foreach (var property in snapshot.Properties)
        {
            yield return Property(property.Name, property.Value, property.IsSensitive);
            // The grid shows these beside the source, unmasked, unless there are arguments "of the application": here none.
            if (property is { Name: "executable.args", IsSensitive: true })
                yield return Property("resource.appArgs", Array.Empty<string>());
        }
    }

    private static ResourceProperty Property(string name, object? value, bool isSensitive = false) =>
        new() { Name = name, Value = ToValue(value), IsSensitive = isSensitive };

    private static Value ToValue(object? value) => value switch
    {
        null => Value.ForNull(),
        string text => Value.ForString(text),
        int number => Value.ForNumber(number),
        IEnumerable<string> texts => Value.ForList([.. texts.Select(Value.ForString)]),
        IEnumerable<int> numbers => Value.ForList([.. numbers.Select(n => Value.ForNumber(n))]),
        _ => Value.ForString(Convert.ToString(value, CultureInfo.InvariantCulture)),
    };

    private static HealthReport ToMessage(HealthReportSnapshot report)
    {
        var message = new HealthReport { Key = report.Name, Description = report.Description ?? "", Exception = report.ExceptionText ?? "", LastRunAt = ToTimestamp(report.LastRunAt) };
        if (report.Status is { } status)
            message.Status = status == Health.Healthy ? HealthStatus.Healthy : status == Health.Degraded ? HealthStatus.Degraded : HealthStatus.Unhealthy;
        return message;
    }

    private static Timestamp? ToTimestamp(DateTime? time) => time is { } t ? Timestamp.FromDateTime(t.ToUniversalTime()) : null;
}
