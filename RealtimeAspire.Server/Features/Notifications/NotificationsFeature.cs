using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;
using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>A durable inbox for each user, and what tells him of it when he is not there: Web Push and e-mail.</summary>
public static class NotificationsFeature
{
    /// <summary>Registers <see cref="INotifier"/>, the inbox topics <c>user:{id}</c>, and what works in the background. Needs Postgres.</summary>
    /// <param name="realtime">What <c>AddRealtime()</c> returned.</param>
    public static RealtimeBuilder AddNotifications(this RealtimeBuilder realtime)
    {
        ArgumentNullException.ThrowIfNull(realtime);
        var services = realtime.Services;
        services.AddOptions<NotificationOptions>().BindConfiguration(NotificationOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<NotificationOptions>, NotificationOptionsValidator>();
        // Inboxes are the server's to publish on, whatever else the application does with the type.
        services.PostConfigure<RealtimeOptions>(static options => options.TopicTypes.TryAdd(TopicCatalog.User, new TopicTypeOptions { Publishers = Publishers.Servers }));
        services.AddSingleton<NotificationKinds>();
        services.AddSingleton<NotificationRights>();
        services.AddSingleton<NotificationInstruments>();
        services.AddSingleton<IDeliveryChannel, WebPushChannel>();
        services.AddSingleton<IDeliveryChannel, EmailChannel>();
        services.AddSingleton<DeliveryChannels>();
        services.AddSingleton<DeliveryStore>();
        services.AddSingleton<DeliveryLog>();
        services.AddSingleton<Recipients>();
        services.AddSingleton<RecipientStore>();
        services.AddSingleton<InboxStore>();
        services.AddSingleton<Notifier>();
        services.AddSingleton<INotifier>(provider => provider.GetRequiredService<Notifier>());
        services.AddHosted<AudienceJob>();
        services.AddHosted<DeliveryRelay>();
        services.AddHosted<InboxSweep>();
        return realtime
            .AddEvent(TopicCatalog.User, NotificationRights.NewEvent, NotificationEventJson.Default.NewNotification)
            .AddEvent(TopicCatalog.User, NotificationRights.ReadEvent, NotificationEventJson.Default.NotificationsRead)
            .AddEvent(TopicCatalog.User, NotificationRights.RemovedEvent, NotificationEventJson.Default.NotificationsRemoved);
    }

    /// <summary>Maps <c>/notifications</c> and <c>/inbox</c>.</summary>
    /// <param name="endpoints">The application.</param>
    public static IEndpointRouteBuilder MapNotifications(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        endpoints.MapNotificationApi();
        endpoints.MapInboxApi();
        return endpoints;
    }
}
