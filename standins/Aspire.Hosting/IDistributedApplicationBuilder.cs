using System.Reflection;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting
{
    public interface IDistributedApplicationBuilder
    {
        ConfigurationManager Configuration { get; }

        Assembly? AppHostAssembly { get; }

        IHostEnvironment Environment { get; }

        IServiceCollection Services { get; }

        IResourceBuilder<T> AddResource<T>(T resource) where T : IResource;

        DistributedApplication Build();
    }

    public sealed class DistributedApplicationOptions
    {
        public string[]? Args { get; set; }

        public bool DisableDashboard { get; set; }
    }
}

namespace Aspire.Hosting.ApplicationModel
{
    public class DistributedApplicationModel
    {
        internal DistributedApplicationModel(IEnumerable<IResource> resources) => Resources = [.. resources];

        public IReadOnlyList<IResource> Resources { get; }
    }

    public interface IResourceBuilder<out T> where T : IResource
    {
        IDistributedApplicationBuilder ApplicationBuilder { get; }

        T Resource { get; }

        IResourceBuilder<T> WithAnnotation<TAnnotation>(TAnnotation annotation) where TAnnotation : IResourceAnnotation;
    }

    internal sealed class ResourceBuilder<T>(IDistributedApplicationBuilder applicationBuilder, T resource) : IResourceBuilder<T> where T : IResource
    {
        public IDistributedApplicationBuilder ApplicationBuilder => applicationBuilder;

        public T Resource => resource;

        public IResourceBuilder<T> WithAnnotation<TAnnotation>(TAnnotation annotation) where TAnnotation : IResourceAnnotation
        {
            Resource.Annotations.Add(annotation);
            return this;
        }
    }
}
