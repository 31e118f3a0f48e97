using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Http;

/// <summary>
/// <c>/openapi/v1.json</c>: made from the endpoints themselves, and from what they declare beside their types: errors with their
/// codes, and bodies that they read on their own.
/// </summary>
internal static class ApiDocument
{
    private const string ProblemSchema = "Problem";
    private const string BearerScheme = "bearer";

    public static void AddApiDocument(this IServiceCollection services) => services.AddOpenApi(options =>
    {
        options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        options.AddSchemaTransformer(DescribeSchema);
        options.AddOperationTransformer(DescribeOperationAsync);
        options.AddDocumentTransformer(DescribeDocument);
    });

    private static Task DescribeDocument(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        document.Info = new OpenApiInfo
        {
            Title = "RealtimeAspire",
            Version = "v1",
            Description = "Topics over HTTP. docs/protocol.md has the rules, docs/errors.md every error code.",
        };
        // Those that only others refer to have come past the schema transformer.
        foreach (var schema in document.Components?.Schemas?.Values ?? [])
        {
            ToPlainNumbers(schema);
        }

        document.AddComponent(ProblemSchema, Problem());
        document.AddComponent<IOpenApiSecurityScheme>(BearerScheme, new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.Http,
            Scheme = "bearer",
            BearerFormat = "JWT",
            Description = "For a stream also as the query's access_token: an EventSource sets no headers.",
        });
        return Task.CompletedTask;
    }

    private static async Task DescribeOperationAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        IEnumerable<ErrorCode> errors = metadata.OfType<DeclaredErrors>().SelectMany(declared => declared.Errors);
        if (metadata.OfType<IAuthorizeData>().Any() && !metadata.OfType<IAllowAnonymous>().Any())
        {
            operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(BearerScheme, context.Document)] = [] }];
            errors = errors.Concat([ErrorCode.TokenRequired, ErrorCode.TokenInvalid, ErrorCode.TokenRevoked, ErrorCode.TenantSuspended, ErrorCode.TenantUnknown, ErrorCode.Blocked, ErrorCode.RegionBlocked]);
        }

        operation.Responses ??= [];
        foreach (var status in errors.GroupBy(error => error.Status).OrderBy(status => status.Key))
        {
            operation.Responses[$"{status.Key}"] = ToResponse([.. status], context);
        }

        if (HttpMethods.IsHead(context.Description.HttpMethod!))
        {
            foreach (var response in operation.Responses.Values.OfType<OpenApiResponse>())
            {
                response.Content?.Clear();
            }
        }

        if (metadata.OfType<DeclaredBody>().LastOrDefault() is { } body)
        {
            operation.RequestBody = await ToBodyAsync(body, context, cancellationToken);
        }
    }

    private static async Task<OpenApiRequestBody> ToBodyAsync(DeclaredBody body, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        var schema = await context.GetOrCreateSchemaAsync(body.Type, parameterDescription: null, cancellationToken);
        context.Document!.AddComponent(body.Type.Name, schema);
        var one = new OpenApiSchemaReference(body.Type.Name, context.Document);
        var many = new OpenApiSchema { Type = JsonSchemaType.Array, Items = one, MinItems = 1 };
        return new OpenApiRequestBody
        {
            Required = true,
            Content = new Dictionary<string, OpenApiMediaType>
            {
                ["application/json"] = new()
                {
                    Schema = body.Number switch
                    {
                        BodyNumber.One => one,
                        BodyNumber.Array => many,
                        _ => new OpenApiSchema { OneOf = [one, many] },
                    },
                },
            },
        };
    }

    private static OpenApiResponse ToResponse(ErrorCode[] errors, OpenApiOperationTransformerContext context) => new()
    {
        Description = string.Join(' ', errors.Select(error => $"`{error.Code}`: {error.Sentence}")),
        Content = new Dictionary<string, OpenApiMediaType>
        {
            ["application/problem+json"] = new() { Schema = new OpenApiSchemaReference(ProblemSchema, context.Document) },
        },
    };

    private static Task DescribeSchema(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        ToPlainNumber(schema);
        return Task.CompletedTask;
    }

    private static void ToPlainNumbers(IOpenApiSchema schema)
    {
        if (schema is OpenApiSchema own)
        {
            ToPlainNumber(own);
            foreach (var part in (own.Properties?.Values ?? []).Concat(own.OneOf ?? []))
            {
                ToPlainNumbers(part);
            }
        }
    }

    /// <summary>Readers of JSON may take a number in quotes. Nobody has to know.</summary>
    private static void ToPlainNumber(OpenApiSchema schema)
    {
        if (schema.Type is { } type && type.HasFlag(JsonSchemaType.String) && (type.HasFlag(JsonSchemaType.Integer) || type.HasFlag(JsonSchemaType.Number)))
        {
            (schema.Type, schema.Pattern) = (type & ~JsonSchemaType.String, null);
        }
    }

    private static OpenApiSchema Problem() => new()
    {
        Type = JsonSchemaType.Object,
        Description = "An error, as RFC 9457 has it, with a stable code.",
        Required = new HashSet<string> { "status", "detail", "code", "retryable" },
        Properties = new Dictionary<string, IOpenApiSchema>
        {
            ["type"] = Text("A page about the status."),
            ["title"] = Text("The status in words."),
            ["status"] = new OpenApiSchema { Type = JsonSchemaType.Integer, Description = "The HTTP status." },
            ["detail"] = Text("What is wrong, for people."),
            ["traceId"] = Text("The trace of the request."),
            ["code"] = new OpenApiSchema
            {
                Type = JsonSchemaType.String,
                Description = "What programs compare.",
                Enum = [.. ErrorCode.All.Select(error => (JsonNode)error.Code)],
            },
            ["retryable"] = new OpenApiSchema { Type = JsonSchemaType.Boolean, Description = "Whether the same request may succeed later." },
            ["retryAfterMs"] = new OpenApiSchema { Type = JsonSchemaType.Integer, Description = "After how many milliseconds it may, where that is known." },
            ["challenge"] = Text("With `challenge_required`: what a proof of work is asked for."),
        },
    };

    private static OpenApiSchema Text(string description) => new() { Type = JsonSchemaType.String, Description = description };
}
