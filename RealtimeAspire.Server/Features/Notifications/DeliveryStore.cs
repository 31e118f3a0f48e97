using Npgsql;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>Something that this node has taken on, with all it needs to know.</summary>
internal sealed record Delivery
{
    public required long Id { get; init; }

    public required Guid Lease { get; init; }

    public required string Tenant { get; init; }

    public required string User { get; init; }

    public required string NotificationId { get; init; }

    public required Channel Channel { get; init; }

    public required int Attempts { get; init; }

    public required string Kind { get; init; }

    public required string Title { get; init; }

    public string? Body { get; init; }

    public string? Link { get; init; }

    public string? CollapseKey { get; init; }

    public required LadderEntry Entry { get; init; }

    public required Preferences Preferences { get; init; }

    /// <summary>Where the user gets mail.</summary>
    public string? Email { get; init; }

    /// <summary>Where the device gets Web Push; null: it has gone.</summary>
    public PushTarget? Target { get; init; }
}

/// <summary>A browser's subscription.</summary>
/// <param name="Device">The device's name.</param>
/// <param name="Endpoint">The push service's address for it. Untrusted.</param>
/// <param name="P256dh">Its public key.</param>
/// <param name="Auth">Its secret.</param>
internal sealed record PushTarget(string Device, string Endpoint, string P256dh, string Auth);

/// <summary>
/// What waits to be told on other channels, shared by all nodes. One delivery goes this way, and never back but by an operator:
/// <code>
/// waiting ── leased ── sending ── sent
///    ▲         │          ├────── waiting    certainly not taken: another time
///    └─────────┤          ├────── dead       not taken, and no more tries
///              │          └────── unknown    whether it was taken nobody knows: it is not sent again
///              └───────────────── cancelled  read, acknowledged, expired, switched off
/// </code>
/// Sending is on record before it begins. A lease that runs out before is taken by another node; one that runs out after leaves the delivery unknown.
/// </summary>
internal sealed class DeliveryStore(Database database)
{
    // Two parts, so that each reads no more of an index than it takes.
    private const string Claim = """
        with waiting as (
          select delivery_id, tenant, user_id, due_at from realtime.notification_deliveries
           where channel = $1 and state = 'waiting' and due_at <= now() and (tenant, user_id) not in (select * from unnest($5::text[], $6::text[]))
           order by due_at limit $2 for update skip locked),
        left_over as (
          select delivery_id, tenant, user_id, due_at from realtime.notification_deliveries
           where channel = $1 and state = 'leased' and lease_until < now() and (tenant, user_id) not in (select * from unnest($5::text[], $6::text[]))
           order by lease_until limit $2 for update skip locked),
        due as (
          select delivery_id from (
            select distinct on (tenant, user_id) delivery_id, due_at
              from (select * from waiting union all select * from left_over) found order by tenant, user_id, due_at) first
           order by due_at limit $2),
        taken as (
          update realtime.notification_deliveries d
             set state = 'leased', lease = $3, lease_until = now() + make_interval(secs => $4), changed_at = clock_timestamp()
            from due where d.delivery_id = due.delivery_id
          returning d.*)
        select d.delivery_id, d.tenant, d.user_id, d.notification_id, d.channel, d.attempts, n.kind, n.title, n.body, n.link, n.collapse_key, n.priority, n.created_at, n.expires_at,
               e.read_at is not null, e.removed_at is not null,
               exists (select from realtime.notification_deliveries l
                        where l.tenant = d.tenant and l.notification_id = d.notification_id and l.user_id = d.user_id and l.channel = 'live'),
               i.preferences, i.email, d.device, v.endpoint, v.p256dh, v.auth
          from taken d
          join realtime.inbox_entries e using (tenant, user_id, notification_id)
          join realtime.notifications n using (tenant, notification_id)
          join realtime.inboxes i using (tenant, user_id)
          left join realtime.inbox_devices v on d.channel = 'push' and v.tenant = d.tenant and v.user_id = d.user_id and v.device = d.device
        """;

    // The last moment at which an acknowledgement, a read or a removal is in time.
    private const string Begin = """
        update realtime.notification_deliveries d
           set state = 'sending', attempts = attempts + 1, lease_until = now() + make_interval(secs => $3), changed_at = clock_timestamp()
         where d.delivery_id = $1 and d.lease = $2 and d.state = 'leased' and d.lease_until > now()
           and exists (select from realtime.inbox_entries e
                        where e.tenant = d.tenant and e.user_id = d.user_id and e.notification_id = d.notification_id and e.read_at is null and e.removed_at is null)
           and not exists (select from realtime.notification_deliveries l
                            where l.tenant = d.tenant and l.notification_id = d.notification_id and l.user_id = d.user_id and l.channel = 'live')
        returning 1
        """;

    private const string SettleOne = """
        update realtime.notification_deliveries
           set state = $3, reason = $4::text, due_at = coalesce($5::timestamptz, due_at), lease = null, lease_until = null, changed_at = clock_timestamp()
         where delivery_id = $1 and lease = $2 and state in ('leased', 'sending')
        """;

    private const string Lost = """
        with lost as (
          update realtime.notification_deliveries set state = 'unknown', reason = 'the node that was sending it has gone', lease = null, lease_until = null, changed_at = clock_timestamp()
           where state = 'sending' and lease_until < now()
          returning tenant, channel)
        select tenant, channel from lost
        """;

    /// <summary>Takes on what is due, or what a node that has gone had taken on and not begun to send: of each user one at a time.</summary>
    /// <param name="channel">On which channel.</param>
    /// <param name="most">The most of them.</param>
    /// <param name="except">Of whom nothing.</param>
    /// <param name="lease">For how long.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public Task<IReadOnlyList<Delivery>> ClaimAsync(
        Channel channel, int most, IReadOnlyCollection<(string Tenant, string User)> except, TimeSpan lease, CancellationToken cancellationToken)
    {
        var mine = Guid.NewGuid();
        return database.ReadAsync(
            Claim, reader => Read(reader, mine), cancellationToken,
            Names.Of(channel), (long)most, mine, lease.TotalSeconds, except.Select(user => user.Tenant).ToArray(), except.Select(user => user.User).ToArray());
    }

    /// <summary>Puts it on record that it is sent from now on. False: it is not to be sent any more, or not by this node.</summary>
    public async Task<bool> BeginAsync(Delivery delivery, TimeSpan lease, CancellationToken cancellationToken) =>
        await database.ReadAsync(Begin, static _ => true, cancellationToken, delivery.Id, delivery.Lease, lease.TotalSeconds) is [true];

    /// <summary>What has become of it. Without effect where the lease has run out.</summary>
    public Task SettleAsync(Delivery delivery, string state, string? reason, DateTimeOffset? due, CancellationToken cancellationToken) =>
        database.ReadAsync(SettleOne, static _ => 0, cancellationToken, delivery.Id, delivery.Lease, state, reason, due);

    /// <summary>What was being sent by nodes that have gone.</summary>
    public Task<IReadOnlyList<(string Tenant, string Channel)>> GiveUpAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(Lost, static reader => (reader.GetString(0), reader.GetString(1)), cancellationToken);

    /// <summary>The push service knows nothing of this subscription any more.</summary>
    public Task RemoveTargetAsync(Delivery delivery, CancellationToken cancellationToken) => database.ReadAsync(
        "delete from realtime.inbox_devices where tenant = $1 and user_id = $2 and endpoint = $3",
        static _ => 0,
        cancellationToken,
        delivery.Tenant,
        delivery.User,
        delivery.Target!.Endpoint);

    private static Delivery Read(NpgsqlDataReader reader, Guid lease) => new()
    {
        Id = reader.GetInt64(0),
        Lease = lease,
        Tenant = reader.GetString(1),
        User = reader.GetString(2),
        NotificationId = reader.GetString(3),
        Channel = Names.ToChannel(reader.GetString(4)),
        Attempts = reader.GetInt32(5),
        Kind = reader.GetString(6),
        Title = reader.GetString(7),
        Body = Database.TextAt(reader, 8),
        Link = Database.TextAt(reader, 9),
        CollapseKey = Database.TextAt(reader, 10),
        Entry = new LadderEntry(
            Names.ToPriority(reader.GetString(11)),
            reader.GetFieldValue<DateTimeOffset>(12),
            reader.GetFieldValue<DateTimeOffset>(13),
            IsRead: reader.GetBoolean(14),
            IsAcknowledged: reader.GetBoolean(16),
            IsRemoved: reader.GetBoolean(15)),
        Preferences = Preferences.Read(Database.TextAt(reader, 17)),
        Email = Database.TextAt(reader, 18),
        Target = reader.IsDBNull(20) ? null : new PushTarget(reader.GetString(19), reader.GetString(20), reader.GetString(21), reader.GetString(22)),
    };
}
